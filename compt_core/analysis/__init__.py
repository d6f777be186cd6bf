"""What finished runs tell: diagnoses, relatedness of tasks, the space of prompts, imported prompts."""
