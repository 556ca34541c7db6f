"""The prices of models at their providers' own addresses, from the table that ships with the package.

They stand in for what no source of metrics names. A model at a ``base_url`` has none: who serves it sets the price.
"""

from collections.abc import Iterator, Mapping

from plano_agents.config.model import WILDCARD, Config
from plano_agents.providers.profiles import find_profile
from plano_agents.routing.candidates import ModelMetrics


class KnownPrices(Mapping[str, ModelMetrics]):
    """The known prices of a configuration's models, by qualified name.

    Args:
        config: What is configured; its ``models`` settings stand above the table.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._found: dict[str, ModelMetrics | None] = {}
        self._may_be_known = any(
            self.get(model.name) is not None or (model.model_id == WILDCARD and model.base_url is None)
            for model in config.models
        )

    def __getitem__(self, name: str) -> ModelMetrics:
        """Find a model's prices, one of a wildcard's too.

        Raises:
            KeyError: They are not known.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        prices = self._found[name]
        if prices is None:
            raise KeyError(name)
        return prices

    def __bool__(self) -> bool:
        """Whether those of a declared model are known, or may be: a wildcard's are looked up when one is asked for."""
        return self._may_be_known

    def __iter__(self) -> Iterator[str]:
        """Iterate over the declared models whose prices are known."""
        return (model.name for model in self._config.models if self.get(model.name) is not None)

    def __len__(self) -> int:
        """Count them."""
        return sum(1 for _ in self)

    def _find(self, name: str) -> ModelMetrics | None:
        model = self._config.find_model(name)
        if model is None or model.base_url is not None:
            return None
        profile = find_profile(model, self._config.profiles)
        if profile.input_price is None or profile.output_price is None:
            return None
        return ModelMetrics(profile.input_price, profile.output_price, cached_usd_per_million=profile.cached_price)
