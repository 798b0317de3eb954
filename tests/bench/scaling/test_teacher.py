"""The teacher's labels follow its probabilities, and every order has its share of the variance."""

import numpy as np
import pytest
from tests.bench.scaling.bayes import expected_auc
from tests.bench.scaling.dataset import FIELDS, TEACHER
from tests.bench.scaling.teacher import Field, Teacher, TeacherConfig

from mixfront.data.auc import auc

FEW = tuple(
    Field(name=f"{domain}{i}", domain=domain, cardinality=size)
    for domain in "abcde"
    for i, size in enumerate((30, 8))
)
CONFIG = TeacherConfig(shares={1: 0.3, 2: 0.4, 3: 0.2, 4: 0.1}, num_chains=10)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher(FEW, CONFIG, seed=3)


def test_orders_have_their_shares_and_are_uncorrelated(teacher: Teacher) -> None:
    rows = teacher.categories(np.random.default_rng(9), 200_000)
    orders = teacher.by_order(rows)
    covariance = np.cov(list(orders.values()))

    shares = covariance / teacher.scale**2
    assert np.diag(shares) == pytest.approx(list(CONFIG.shares.values()), rel=0.05)
    assert shares - np.diag(np.diag(shares)) == pytest.approx(np.zeros((4, 4)), abs=0.01)


def test_bayes_auc_and_click_rate_are_those_of_the_config(teacher: Teacher) -> None:
    rng = np.random.default_rng(10)
    logits = teacher.logits(teacher.categories(rng, 200_000))
    probability = 1 / (1 + np.exp(-logits))

    assert expected_auc(logits) == pytest.approx(CONFIG.bayes_auc, abs=0.004)
    assert probability.mean() == pytest.approx(CONFIG.click_rate, abs=0.005)


def test_the_expected_auc_is_the_mean_auc_of_drawn_labels() -> None:
    rng = np.random.default_rng(4)
    logits = np.round(rng.normal(size=400), 1)  # with ties
    draws = rng.random((3000, 400)) < 1 / (1 + np.exp(-logits))

    aucs = [auc(logits, labels) for labels in draws]

    error = np.std(aucs) / np.sqrt(len(aucs))
    assert expected_auc(logits) == pytest.approx(np.mean(aucs), abs=4 * error)


def test_a_chain_has_fields_of_different_domains_and_extends_itself(teacher: Teacher) -> None:
    for term in teacher.terms[4]:
        assert len({FEW[i].domain for i in term.fields}) == 4
        assert any(term.prefix(3).fields == other.fields for other in teacher.terms[3])


def test_the_same_seed_gives_the_same_teacher_and_another_seed_another(teacher: Teacher) -> None:
    rows = teacher.categories(np.random.default_rng(11), 100)
    again, other = (Teacher(FEW, CONFIG, seed=seed).logits(rows) for seed in (3, 4))
    assert (teacher.logits(rows) == again).all()
    assert not np.allclose(again, other)


def test_the_full_teacher_has_all_orders_and_at_least_five_domains() -> None:
    assert sorted(TEACHER.shares) == [1, 2, 3, 4]
    assert sum(TEACHER.shares.values()) == pytest.approx(1)
    assert 5 <= len({field.domain for field in FIELDS}) <= 8
