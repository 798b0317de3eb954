"""LCBench by YAHPO Gym's surrogate: training of an MLP on OpenML tasks (arXiv 2109.03670)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tests.bench.search.problem import Floats, Problem

from mixfront.samplers.candidates import Known

EPOCHS = 52
CHUNK = 100_000
KEYS = (
    *("batch_size", "learning_rate", "momentum", "weight_decay"),
    *("num_layers", "max_units", "max_dropout"),
)
LAYERS, UNITS = KEYS.index("num_layers"), KEYS.index("max_units")
SECONDS, ACCURACY = 0, 1  # columns of the network's output


class LcBench(Problem):
    """Validation accuracy after 52 epochs, against num_layers * max_units^2.

    Args:
        folder: With `model.onnx`, `config_space.json` and `encoding.json` of `yahpo_data/lcbench`.
        task: Of OpenML.
    """

    def __init__(self, folder: Path, task: str) -> None:
        self.name = f"lcbench {task}"
        space = json.loads((folder / "config_space.json").read_text())["hyperparameters"]
        by_name = {parameter["name"]: parameter for parameter in space}
        self._parameters = [by_name[key] for key in KEYS]
        encoding = json.loads((folder / "encoding.json").read_text())
        self._task = encoding["OpenML_task_id"][task]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._network = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)

    def suggest(self, trial: Any) -> Floats:
        """Suggest the seven hyperparameters."""
        return np.array(
            [_suggest(trial, parameter) for parameter in self._parameters], dtype=float
        )

    def known(self, configuration: Floats) -> Known:
        """The cost, and the hyperparameters as features."""
        cost = float(np.log10(configuration[LAYERS] * configuration[UNITS] ** 2))
        return Known(costs=(cost,), features=dict(zip(KEYS, configuration.tolist(), strict=True)))

    def train(self, configurations: Floats) -> tuple[Floats, Floats]:
        """Ask the surrogate."""
        parts = [
            self._predict(configurations[start : start + CHUNK])
            for start in range(0, len(configurations), CHUNK)
        ]
        outputs = np.concatenate(parts)
        return outputs[:, ACCURACY], outputs[:, SECONDS]

    def sample(self, count: int, rng: np.random.Generator) -> Floats:
        """Uniform in the scale of every hyperparameter."""
        columns = []
        for parameter in self._parameters:
            low, high = parameter["lower"], parameter["upper"]
            if parameter["log"]:
                column = np.exp(rng.uniform(np.log(low), np.log(high), count))
            else:
                column = rng.uniform(low, high, count)
            columns.append(column.round() if _is_int(parameter) else column)
        return np.column_stack(columns)

    def _predict(self, configurations: Floats) -> Floats:
        epochs = np.full((len(configurations), 1), EPOCHS)
        inputs = {
            "x_cat": np.full((len(configurations), 1), self._task, dtype=np.int32),
            "x_cont": np.hstack([epochs, configurations]).astype(np.float32),
        }
        [outputs] = self._network.run(None, inputs)
        return np.asarray(outputs, dtype=np.float64)


def _suggest(trial: Any, parameter: dict[str, Any]) -> float:
    suggest = trial.suggest_int if _is_int(parameter) else trial.suggest_float
    value = suggest(
        parameter["name"], parameter["lower"], parameter["upper"], log=parameter["log"]
    )
    return float(value)


def _is_int(parameter: dict[str, Any]) -> bool:
    return str(parameter["type"]) == "uniform_int"
