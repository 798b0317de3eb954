"""`precision: auto`, resolved once when a search starts: bf16 where every lane multiplies it."""

from rich.console import Console

from mixfront.cluster.devices import lane_nodes, nodes_without_bf16
from mixfront.records import RecordStore, SearchRecord
from mixfront.spec.search_spec import SearchSpec


def resolve_precision(store: RecordStore, search: SearchRecord, console: Console) -> None:
    """Replace `auto` in the search's record, and warn of a bf16 that the devices only emulate.

    Call it while connected to Ray. A resumed search finds its precision resolved already.

    Args:
        store: Where the record is saved if it changes.
        search: Its `spec.training.precision` is changed in place.
        console: Told what was chosen, or warned.
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
                f"warning: training.precision is bf16, but {_some(emulating)} of "
                f"{len(nodes)} nodes only emulate bf16, where a step takes up to 100 times as "
                "long as in fp32; set training.precision to auto or fp32",
                highlight=False,
                soft_wrap=True,
            )
        return
    chosen = "bf16" if nodes and not emulating else "fp32"
    search.spec["training"]["precision"] = chosen
    store.save_search(search)
    reason = "native on every lane's device" if chosen == "bf16" else "not every device has bf16"
    console.print(f"precision: {chosen} ({reason})", highlight=False)


def _some(nodes: list[str]) -> str:
    shown = ", ".join(nodes[:3])
    return f"{len(nodes)} ({shown}{', ...' if len(nodes) > 3 else ''})"
