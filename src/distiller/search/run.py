"""A search, from its file to what it found."""

import secrets
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from distiller.errors import UserError
from distiller.files import check_folder, write_text
from distiller.pipeline import Pipeline
from distiller.schema import validated
from distiller.search.config import SearchConfig
from distiller.search.driver import Driver
from distiller.search.prior import PRIOR, Prior
from distiller.search.progress import Progress
from distiller.search.result import SearchResult, conclude
from distiller.search.space import Space
from distiller.search.study import DATABASE, open_study, without_password

GIVEN, LOCK = "search.yaml", ".lock"
MAY_CHANGE = ("trials", "timeout", "budget", "target", "worth", "confirm", "executor", "first")
"""Of a search that is gone on with."""


def search(config: SearchConfig | str | Path, out: str | Path, resume: bool = False) -> SearchResult:  # noqa: FBT001, FBT002
    """Search as `config` says (or the file of that name), in the folder `out`.

    The same call goes on where an earlier one was stopped, whatever stopped it: trials that have ended are not run
    again, others go on from their last checkpoint. Leaves `out`/runs (the run records), `out`/study.db (unless the
    search names another database), `out`/best (student, pipeline and record of the best), and `out`/search.json.

    Args:
        config: What to search.
        out: A folder that does not exist, is empty, or belongs to this search.
        resume: Whether it has to be there already.

    Raises:
        UserError: If the search, its space or its base is not usable, `out` belongs to another search, or nothing can
            come of it.
    """
    if not isinstance(config, SearchConfig):
        config = SearchConfig.from_yaml(Path(config))
    out = Path(out).resolve()
    base, space = config.pipeline(), config.read_space()
    config = _with_sampler(config, out)
    _refuse_another(config, base.model_dump(), out, resume=resume)
    config, prior = _with_knowledge(config, base, space, out)
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(str(out), "another process searches there; wait for it, or name another --out") from None
    try:
        name = _name_of_study(out)
        study = open_study(config, space, out, name, prior)
        progress = Progress(config.trials, [*config.objectives])
        with closing(config.executor.open()) as executor:
            driver = Driver(config, base, study, executor, out, progress)
            driver.check()
            if prior is not None:
                prior.write(out)
            write_text(out / GIVEN, _as_yaml(config, base.model_dump(), name))  # of a search that can begin
            progress.begin(study.trials())
            try:
                driver.run()
                return conclude(driver, config)
            finally:
                progress.end()
    finally:
        lock.release()


def _with_sampler(config: SearchConfig, out: Path) -> SearchConfig:
    """With one that is named: that which the search began with, where the file does not say."""
    if config.sampler is not None:
        return config
    before = yaml.safe_load((out / GIVEN).read_text(encoding="utf-8")) if (out / GIVEN).exists() else None
    began = before.get("sampler") if isinstance(before, dict) and "study" in before else None
    try:
        return validated(
            SearchConfig, {**config.model_dump(), "sampler": began or config.chosen_sampler}, str(out / GIVEN)
        )
    except UserError as error:
        why_not, *_ = error.mend.split(";")
        went_on = f"the search began with sampler: {began}, and goes on with it, but {why_not}"
        raise UserError(str(out), f"{went_on}; name another --out, or the file that it began with") from None


def _with_knowledge(config: SearchConfig, base: Pipeline, space: Space, out: Path) -> tuple[SearchConfig, Prior | None]:
    """With the points to try first that known runs speak for, and what they foretell, if the sampler asks for that.

    Of a search that has begun both are those that it began with.
    """
    known = config.knowledge
    if known is None:
        return config, None
    if (out / GIVEN).exists():
        config = config.replace(first=yaml.safe_load((out / GIVEN).read_text(encoding="utf-8"))["first"])
        return config, Prior.read(space, out) if config.sampler == "prior" else None
    from distiller.search.warm import Foretelling

    foretelling = Foretelling.learn(base, space, Path(known), config.seed)
    warm = [point for point in foretelling.warm(config.warm) if point not in config.first]
    config = config.replace(first=[*config.first, *warm])
    return config, foretelling.prior() if config.sampler == "prior" else None


def _refuse_another(config: SearchConfig, base: dict[str, Any], out: Path, *, resume: bool) -> None:
    check_folder(out)
    given = out / GIVEN
    inside = [path.name for path in out.iterdir() if not path.name.startswith(".")] if out.is_dir() else []
    if not given.exists():
        if {*inside} - {DATABASE, PRIOR}:
            raise UserError(str(out), f"holds no {GIVEN} of a search to go on with; name another --out")
        if resume:
            raise UserError(str(out), "holds no search to go on with; leave out --resume, or name its folder")
        return
    before = yaml.safe_load(given.read_text(encoding="utf-8"))
    if not isinstance(before, dict) or "study" not in before:
        raise UserError(str(given), "is none that a search has left; name another --out")
    now = yaml.safe_load(_as_yaml(config, base, before["study"]))
    with_new_fields = validated(Pipeline, before.get("base"), str(given)).model_dump()
    before["base"] = yaml.safe_load(yaml.safe_dump(with_new_fields))
    for field in now:
        if field not in MAY_CHANGE and before.get(field, _default_of(field)) != now[field]:
            raise UserError(str(given), f"is another search than the one given: {field} differs; name another --out")


def _default_of(field: str) -> Any:
    """What a field was that an earlier version did not have."""
    known = SearchConfig.model_fields.get(field)
    return None if known is None else known.get_default(call_default_factory=True)


def _as_yaml(config: SearchConfig, base: dict[str, Any], study: str) -> str:
    content = {"study": study, **config.model_dump(), "base": base}
    if config.storage is not None:
        content["storage"] = without_password(config.storage)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _name_of_study(out: Path) -> str:
    """That which the folder has; a new one of its own, since a database may hold many searches."""
    if (out / GIVEN).exists():
        return str(yaml.safe_load((out / GIVEN).read_text(encoding="utf-8"))["study"])
    return f"{out.name} {secrets.token_hex(4)}"
