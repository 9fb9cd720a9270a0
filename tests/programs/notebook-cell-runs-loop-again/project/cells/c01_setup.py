from herb.survey import survey

beds = ["mint", "sage", "dill"]
