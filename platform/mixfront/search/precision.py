"""Resolves `precision: auto` when a search starts: bf16 if every lane's device supports it."""

from rich.console import Console

from mixfront.cluster.devices import lane_nodes, nodes_without_bf16
from mixfront.records import RecordStore, SearchRecord
from mixfront.spec.search_spec import SearchSpec


def resolve_precision(store: RecordStore, search: SearchRecord, console: Console) -> None:
    """Replace `auto` in the search's record; warn if `bf16` is set but only emulated.

    Call it while connected to Ray. In a resumed search the precision is already resolved.

    Args:
        store: Saves the record if it changes.
        search: Its `spec.training.precision` is changed in place.
        console: Prints the choice or the warning.
    """
    spec = SearchSpec.model_validate(search.spec)
    precision = spec.training.precision
    if precision == "fp32":
        return
    nodes = lane_nodes(spec.trial)
    emulating = nodes_without_bf16(nodes, spec.trial)
    if precision == "bf16":
        if emulating:
            console.print(
                f"warning: training.precision is bf16, but {_count_with_names(emulating)} of "
                f"{len(nodes)} nodes only emulate bf16, where a matrix product takes 3 to 70 "
                "times as long as in fp32; set training.precision to auto or fp32",
                highlight=False,
                soft_wrap=True,
            )
        return
    precision = "bf16" if nodes and not emulating else "fp32"
    search.spec["training"]["precision"] = precision
    store.save_search(search)
    native = precision == "bf16"
    reason = "native on every lane's device" if native else "not native on every lane's device"
    console.print(f"precision: {precision} ({reason})", highlight=False)


def _count_with_names(nodes: list[str]) -> str:
    shown = ", ".join(nodes[:3])
    return f"{len(nodes)} ({shown}{', ...' if len(nodes) > 3 else ''})"
