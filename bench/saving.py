"""What a bench keeps in docs/performance/: its table, and a plot beside it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs" / "performance"

Points = Sequence[tuple[float, float]]


@contextmanager
def drawn(file: Path, width: float = 8, height: float = 5) -> Iterator[Any]:
    """The axes of a plot, which is kept as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = file.stem  # the same figures make the same file
    canvas = Figure(figsize=(width, height), layout="constrained")
    yield canvas.subplots()
    file.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(file, metadata={"Date": None})


def curves(file: Path, lines: Mapping[str, Points], x: str, y: str, *, log: str = "") -> None:
    """Each of the lines by its name; those axes that `log` names, `x`, `y` or both, are logarithmic."""
    from matplotlib.ticker import LogFormatter

    with drawn(file, 10, max(5, 0.2 * len(lines))) as axes:
        for number, (name, points) in enumerate(lines.items()):
            # A dozen of lines takes more than the ten colours that there are.
            style = ("-", "--", ":", "-.")[number // 10 % 4]
            axes.plot(*zip(*points, strict=True), style, marker="o", markersize=3, label=name)
        axes.set(xlabel=x, ylabel=y)
        for name in log:
            axes.set(**{f"{name}scale": "log"})
            axis = getattr(axes, f"{name}axis")
            axis.set_major_formatter("{x:,.10g}")
            axis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))
        if "y" not in log:
            axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))


def keep(name: str, title: str, text: str, *plots: str) -> None:
    """The page `name`.md, with the plots that were saved beside it."""
    shown = "".join(f"\n![{plot}]({plot})\n" for plot in plots)
    (DOCS / f"{name}.md").write_text(f"# {title}\n\n{text.strip()}\n{shown}")
