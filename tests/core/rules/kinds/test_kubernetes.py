"""What a rule on the cluster itself may ask."""

import pytest

from tests.core.rules.kinds.checking import problems


@pytest.mark.parametrize(
    "rule",
    [
        "kubernetes: {count: restarts, window: 5m}\nthreshold: {max: 2}",
        "kubernetes: {count: crash_loops}\nthreshold: {max: 0}\nfor: 1m\naction: rollback",
        "kubernetes: {count: unready_pods, share: true}\nthreshold: {max: 0.5}\nfor: 1m\naction: rollback",
        "kubernetes: {count: stuck_rollouts}\nthreshold: {max: 0}",
    ],
)
def test_well_formed(rule: str) -> None:
    assert problems(rule) == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        pytest.param(
            "kubernetes: {count: pods}\nthreshold: {max: 0}",
            "6:25: 'pods' is not known here; write 'restarts', 'crash_loops', 'unready_pods' or 'stuck_rollouts'",
            id="no such count",
        ),
        pytest.param(
            "kubernetes: {}\nthreshold: {max: 0}",
            "6:17: the key 'count' is missing; add count: unready_pods",
            id="no count",
        ),
        pytest.param(
            "kubernetes: {count: crash_loops, window: 5m}\nthreshold: {max: 0}",
            "6:38: only restarts are counted in a window, and crash_loops as they are now; remove it",
            id="a window of what has none",
        ),
        pytest.param(
            "kubernetes: {count: restarts, share: true}\nthreshold: {max: 0}",
            "6:35: only unready_pods can be a share, and restarts are a number; remove it",
            id="a share of what is a number",
        ),
        pytest.param(
            "kubernetes: {count: restarts}\nthreshold: {min: 1}",
            "7:16: what is counted is what is wrong, so that only too many of it are a breach; "
            "write max, such as {max: 0}",
            id="only a lower bound",
        ),
        pytest.param(
            "kubernetes: {count: unready_pods, share: true}\nthreshold: {max: 1}",
            "7:22: a share never exceeds 1, so that the rule would never fire; write a max below 1, such as 0.5",
            id="a share above 1",
        ),
        pytest.param(
            "kubernetes: {count: unready_pods}\nthreshold: {max: -1}",
            "7:22: no value is below 0, so that the rule would always fire; write 0 or more, such as 0",
            id="fewer than none",
        ),
        pytest.param(
            "kubernetes: {count: unready_pods, share: true}\nthreshold: {max: -0.5}",
            "7:22: no value is below 0, so that the rule would always fire; write 0 or more, such as 0.5",
            id="a share below 0",
        ),
        pytest.param(
            "kubernetes: {count: restarts}\nthreshold: {min: 1, max: 3}",
            "7:17: what is counted is what is wrong, so that only too many of it are a breach; remove min",
            id="a lower bound beside the upper one",
        ),
        pytest.param(
            "kubernetes: {count: restarts}\nthreshold: {max: 2.5}",
            "7:22: restarts are counted in whole numbers, and none is between 2.5 and the next one; write 2",
            id="half a restart",
        ),
        pytest.param(
            "kubernetes: {count: unready_pods}\nthreshold: {max: 0.5}",
            "7:22: unready_pods are counted in whole numbers, and none is between 0.5 and the next one; write 0, or "
            "share: true for a share",
            id="a share of pods that is not asked for",
        ),
        pytest.param(
            "kubernetes: {count: stuck_rollouts}\nthreshold: {max: 1}",
            "7:22: a color has one Deployment, so that the rule would never fire; write less, such as 0",
            id="more rollouts than there are",
        ),
        pytest.param(
            "kubernetes: {count: restarts}\nthreshold: {max: 0}\nmin_samples: 5",
            "8:5: a rule on kubernetes has no number of samples; remove min_samples",
            id="samples",
        ),
        pytest.param(
            "kubernetes: {count: restarts}",
            "5:5: the key 'threshold' is missing; add threshold: {max: 0.05}",
            id="no threshold",
        ),
        pytest.param(
            "kubernetes: {count: restarts}\nthreshold: {max: 0}\nprometheus: {expr: up}",
            "6:5: a rule asks one source, and this is the second; make two rules of it",
            id="two kinds",
        ),
        pytest.param(
            "kubernetes: {count: restarts}\nthreshold: {max: 0}\naction: rollback",
            "8:13: one single measurement would roll back; add for: 1m, or datapoints_to_alarm: 2 and "
            "evaluation_periods: 3",
            id="a single glance",
        ),
    ],
)
def test_refused(rule: str, said: str) -> None:
    assert problems(rule) == [said]
