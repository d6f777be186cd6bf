"""Other programs that follow training: TensorBoard, MLflow, Trackio, Weights & Biases. Each is an extra."""
