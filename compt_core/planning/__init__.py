"""What is known before a launch: the check of tasks, data and backbone, and the estimate of time and memory."""
