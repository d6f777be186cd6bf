"""Studies: questions that the paper leaves open, each as an experiment, what it measures, a figure and a reading.

A study is a folder here whose package holds a :class:`~compt_core.studies.study.Study` called STUDY. Adding one needs
nothing else: the command line and the Studies page list the folders that they find. Loads no torch.
"""
