"""Findings have no credentials, and fit on a line."""

from mixfront.doctor.finding import failed, one_line


def test_credentials_are_masked() -> None:
    finding = failed("no answer from http://me:hunter2@host", "try postgresql://me:hunter2@db/x")
    assert finding.seen == "no answer from http://***@host"
    assert finding.remedy == "try postgresql://***@db/x"


def test_errors_fit_on_one_line() -> None:
    assert one_line(ValueError("first\n  second")) == "first second"
    assert one_line(ValueError()) == "ValueError"
    assert len(one_line(ValueError("x" * 1000))) == 300
