"""The models' list prices: the operator's, else those of a source of metrics, else those of the table that ships.

``models.<name>`` of the settings stands above all, price by price. A source (``model_metrics_sources``, asked again
every ``refresh_interval``) stands above the table for the models that it names. The table holds for models at their
providers' own addresses, and for simulators in their place: who serves a model at a ``base_url`` sets its price.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from plano_agents.config.model import WILDCARD, Config, Model
from plano_agents.providers.profiles import find_known
from plano_agents.routing.candidates import ModelMetrics

NO_METRICS: Mapping[str, ModelMetrics] = MappingProxyType({})
"""Nothing is measured."""


class Prices(Mapping[str, ModelMetrics]):
    """The known prices of a configuration's models, by qualified name.

    Args:
        config: What is configured.
        read_metrics: Gives what the sources say now; another mapping once they have said something else.
    """

    def __init__(self, config: Config, read_metrics: Callable[[], Mapping[str, ModelMetrics]]) -> None:
        self._config = config
        self._read_metrics = read_metrics
        self._start(read_metrics())

    def __getitem__(self, name: str) -> ModelMetrics:
        """Find a model's prices, one of a wildcard's too.

        Raises:
            KeyError: They are not known.
        """
        if self._read_metrics() is not self._metrics:
            self._start(self._read_metrics())
        if name not in self._found:
            self._found[name] = self._find(name)
        prices = self._found[name]
        if prices is None:
            raise KeyError(name)
        return prices

    def __bool__(self) -> bool:
        """Check whether those of a declared model are known, or, of a wildcard, may be known once one is asked for."""
        if self._read_metrics() is not self._metrics:
            self._start(self._read_metrics())
        return self._may_be_known

    def _start(self, metrics: Mapping[str, ModelMetrics]) -> None:
        """Begin anew with what the sources say now."""
        self._metrics = metrics
        self._found: dict[str, ModelMetrics | None] = {}
        self._may_be_known = any(
            self._find(model.name) is not None or (model.model_id == WILDCARD and _is_listed(model))
            for model in self._config.models
        )

    def __iter__(self) -> Iterator[str]:
        """Iterate over the declared models whose prices are known."""
        return (model.name for model in self._config.models if self.get(model.name) is not None)

    def __len__(self) -> int:
        """Count them."""
        return sum(1 for _ in self)

    def _find(self, name: str) -> ModelMetrics | None:
        model = self._config.find_model(name)
        if model is None:
            return None
        prices = self._find_measured(model) or _find_listed(model)
        for own in (f"{model.provider}/{WILDCARD}", model.name):
            said = self._config.profiles.get(own)
            if said is not None:
                given = {
                    "input_usd_per_million": said.input_price,
                    "output_usd_per_million": said.output_price,
                    "cached_usd_per_million": said.cached_price,
                    "written_usd_per_million": said.written_price,
                }
                prices = replace(prices, **{field: price for field, price in given.items() if price is not None})
        return prices if _is_whole(prices) else None

    def _find_measured(self, model: Model) -> ModelMetrics | None:
        found = (self._metrics.get(name) for name in (model.name, model.model_id))
        return next((prices for prices in found if prices is not None and _is_whole(prices)), None)


def _is_whole(prices: ModelMetrics) -> bool:
    return prices.input_usd_per_million is not None and prices.output_usd_per_million is not None


def _is_listed(model: Model) -> bool:
    """Check whether the table holds for a model: it is at its provider's own address, or simulated as if it were."""
    return model.base_url is None or (model.stands_in_for is not None and not model.stands_in_for)


def _find_listed(model: Model) -> ModelMetrics:
    if not _is_listed(model):
        return ModelMetrics()
    row = find_known(model.model_id)
    return ModelMetrics(
        row.input_price,
        row.output_price,
        cached_usd_per_million=row.cached_price,
        written_usd_per_million=row.written_price,
    )
