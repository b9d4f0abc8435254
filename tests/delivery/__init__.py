"""What is delivered beside the code: the chart and the lock files."""
