"""The paper's maths: tensors in, tensors out. No settings, no backbone, no state."""
