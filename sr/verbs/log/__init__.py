"""`sr log`: the experiment log, its runs and the verdicts on its claims."""
