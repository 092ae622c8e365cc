"""Public data sets in the layout that runs, trainings and scores read."""
