"""What is proposed, and that it does not end before the space does."""

import optuna
from optuna.trial import TrialState

from distiller.search.config import SearchConfig
from distiller.search.study import Study


def test_a_sampler_that_repeats_itself_does_not_end_a_search_whose_space_is_not_used_up() -> None:
    """TPE comes to be so sure of the best point that it proposes nothing else, whatever the seed of the trial."""
    space = {f"field{number}": [0, 1, 2] for number in range(5)}
    config = SearchConfig.model_validate({"base": "", "space": space, "sampler": "tpe"})
    study = Study(config, config.read_space(), optuna.create_study(direction="maximize"), lambda asked: asked())
    points = []
    for _ in range(60):
        proposed = study.propose(lambda _: None)
        assert proposed is not None, f"after {len(points)} of 243 points"
        number, point = proposed
        study.end(number, TrialState.COMPLETE, [-float(sum(point.values()))])
        points.append(tuple(point.values()))
    assert len({*points}) == 60
