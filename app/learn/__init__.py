"""The guided tour of the Learn page: its steps, widgets, figures and words."""
