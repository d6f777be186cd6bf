"""Records to tables, figures and words; no widgets."""
