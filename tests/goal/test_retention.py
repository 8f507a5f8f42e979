import numpy as np
import pytest
from scipy.stats import t as student_t
from sklearn.metrics import f1_score

from distiller import tasks
from distiller.goal.retention import retention
from distiller.tasks import Predictions

TASK = tasks.build("classification")
REPEATS = 120


def said(right: np.ndarray, classes: int = 2) -> Predictions:
    """Predictions of which these are right; targets go round the classes."""
    targets = np.arange(len(right)) % classes
    logits = np.eye(classes, dtype=np.float32)[np.where(right, targets, (targets + 1) % classes)]
    return Predictions(logits, targets, classes=[str(name) for name in range(classes)])


def test_a_student_that_says_the_same_keeps_all_but_for_the_doubt_of_texts_not_seen() -> None:
    """As many texts as are needed that none of n is seen, with a chance of e^-2, where there are 2 in n."""
    teacher = said(np.random.default_rng(0).random(200) < 0.8)
    found = retention(teacher, [teacher, teacher], TASK, "accuracy")
    assert found.value == 1.0
    assert found.error == pytest.approx(np.sqrt(2) / 200)
    few = said(np.ones(20, bool))
    assert retention(few, [few, few], TASK, "accuracy").chance_of(0.97) < 0.9
    many = said(np.ones(500, bool))
    assert retention(many, [many, many], TASK, "accuracy").chance_of(0.97) > 0.99


def test_the_error_of_one_student_is_that_of_a_ratio_of_paired_means() -> None:
    """By linearisation (Cochran 1977, section 6.4): the deviation of student - ratio × teacher, over the teacher."""
    random = np.random.default_rng(1)
    teacher, student = random.random(4000) < 0.9, random.random(4000) < 0.8
    found = retention(said(teacher), [said(student)], TASK, "accuracy")
    ratio = student.mean() / teacher.mean()
    expected = (student - ratio * teacher).std(ddof=1) / np.sqrt(4000) / teacher.mean()
    assert found.value == pytest.approx(ratio)
    assert found.error == pytest.approx(expected, rel=0.3)  # of forty groups: one in √80 either way


def test_seeds_that_differ_add_to_the_error() -> None:
    teacher = np.ones(100, bool)
    students = [np.arange(100) >= wrong for wrong in (10, 20, 30)]
    one = retention(said(teacher), [said(students[1])], TASK, "accuracy")
    all_three = retention(said(teacher), [said(each) for each in students], TASK, "accuracy")
    of_texts = retention(said(teacher), [said(students[1])] * 3, TASK, "accuracy").error
    assert all_three.value == pytest.approx(0.8)
    assert all_three.error > np.sqrt(0.1**2 / 3)
    assert of_texts == pytest.approx(one.error)
    assert all_three.degrees < one.degrees


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(2)
    held = 0
    for _ in range(REPEATS):
        hard = random.random(300)
        teacher, student = hard < random.uniform(0.85, 0.95, 300), hard < random.uniform(0.75, 0.95, 300)
        low, high = retention(said(teacher), [said(student)], TASK, "accuracy").interval
        held += low <= 0.85 / 0.9 <= high
    # So far from 95 % once in a thousand times.
    assert abs(held / REPEATS - 0.95) < 3.3 * np.sqrt(0.95 * 0.05 / REPEATS)


def test_the_chance_is_what_the_interval_says() -> None:
    random = np.random.default_rng(3)
    students = [said(random.random(300) < 0.8) for _ in range(2)]
    found = retention(said(random.random(300) < 0.9), students, TASK, "accuracy")
    low, high = found.interval
    assert found.chance_of(low) == pytest.approx(0.975)
    assert found.chance_of(high) == pytest.approx(0.025)
    assert found.chance_of(found.value) == pytest.approx(0.5)
    assert found.chance_of(0.9) == pytest.approx(student_t.sf((0.9 - found.value) / found.error, found.degrees))


def test_any_metric_of_the_task_is_kept_or_lost() -> None:
    random = np.random.default_rng(4)
    teacher, student = (said(random.random(500) < share, classes=3) for share in (0.9, 0.7))
    by_hand = [f1_score(each.targets, each.logits.argmax(axis=1), average="macro") for each in (student, teacher)]
    assert retention(teacher, [student], TASK, "f1").value == pytest.approx(by_hand[0] / by_hand[1])
