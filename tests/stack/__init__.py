"""The real servers that the tests run on, and the application that they watch."""
