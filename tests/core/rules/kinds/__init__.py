"""What each kind of rule may ask, and what is refused."""
