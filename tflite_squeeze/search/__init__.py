"""`tune`: the best file under limits, found by searching over recipes.

A candidate is a handful of numbers (what is left of the multiplications, the share of zeros, how
many values a weight may have, the type of the file) and stands for one recipe. The search begins
with what needs no training, plans widths by what they lose before any training, trains candidates
for a short time, trains the best of them to the end, and keeps the best file that passes on disk.

    candidate  the numbers, and the recipe that they stand for
    planning   what narrowing and factorizing can do to a model
    measuring  what a file costs, and what it loses
    trial      a candidate as a file
    trial_process  trials in a process of their own
    choice     which candidate comes next, with Optuna
    promise    which trial is the best, and which are worth a whole training
    workers    how several machines share a search
    study      what they tell each other, in Optuna's storage
    working    what one of them does
    limits     of what a file may lose and cost
    folder     what is on disk, at any moment
    loggers    what TensorBoard and MLflow are told
    tune       the verb
"""
