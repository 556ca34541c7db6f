"""The errors that requests and commands end with, as one tree.

::

    PlanoError                      500  internal_error
    ├── StepLimitError              500  step_limit
    ├── InterruptedRunError         501  run_interrupted
    ├── RunTimeoutError             504  run_timeout
    ├── OverloadedError             503  overloaded
    ├── ShuttingDownError           503  shutting_down
    ├── StoreUnavailableError       503  store_unavailable
    ├── ThreadUnreadableError       500  thread_unreadable
    ├── InspectorUnavailableError   503  inspector_unavailable
    ├── ConfigError                 -    a configuration file that cannot be used; raised at start only
    ├── WorkerFailedError           -    a process that will not start; ends the program
    ├── RequestError                400  invalid_request
    │   ├── InvalidAffinityIdError  400  invalid_affinity_id
    │   ├── InvalidCursorError      400  invalid_cursor
    │   ├── UnsupportedFieldError   400  unsupported_field
    │   ├── AuthenticationError     401  invalid_api_key
    │   ├── AdminOnlyError          403  admin_only
    │   ├── ForeignHostError        403  foreign_host
    │   ├── ForeignPageError        403  foreign_page
    │   ├── ModelNotFoundError      404  model_not_found
    │   ├── EndpointNotFoundError   404  endpoint_not_found
    │   ├── SessionNotFoundError    404  session_not_found
    │   ├── ThreadNotFoundError     404  thread_not_found
    │   ├── MethodNotAllowedError   405  method_not_allowed
    │   ├── MalformedRequestError   400  malformed_request
    │   ├── RequestTimeoutError     408  request_timeout
    │   ├── ThreadBusyError         409  thread_busy
    │   ├── UnsupportedEncodingError 415 unsupported_encoding
    │   ├── UnsupportedMediaTypeError 415 unsupported_media_type
    │   ├── UpgradeRefusedError     426  upgrade_refused
    │   ├── HeadTooLargeError       431  header_too_large
    │   └── BodyTooLargeError       413  body_too_large
    ├── RefusedFieldError           400  unsupported_field
    └── UpstreamError               502  upstream_error
        ├── UpstreamUnreachableError   502  upstream_unreachable
        ├── UpstreamProtocolError      502  upstream_protocol_error
        ├── UpstreamUnavailableError   503  upstream_unavailable
        └── UpstreamTimeoutError       504  upstream_timeout
            ├── ConnectTimeoutError    504  upstream_connect_timeout
            ├── FirstByteTimeoutError  504  upstream_first_byte_timeout
            ├── SilenceTimeoutError    504  upstream_silence_timeout
            └── TotalTimeoutError      504  upstream_total_timeout

Each carries the HTTP status and the machine-readable code it is answered with. How an error is written on a
wire is the protocol's business. An error that never leaves its room stands in that room, as a demo's do. Messages name
what failed, the offending value and the way out; they never hold a key or a prompt.
"""

from typing import ClassVar


class PlanoError(Exception):
    """The root of the tree.

    Args:
        message: What failed, the offending value and how to fix it; shown to the user as it is.
        param: The request field or configuration key at fault, e.g. ``messages[2].content``.
        retry_after_seconds: When to try again; sent as ``Retry-After``.

    Example:
        >>> from plano_agents import PlanoError, model_affinity
        >>> try:
        ...     with model_affinity("two words"):
        ...         pass
        ... except PlanoError as error:
        ...     print(error.status_code, error.code)
        400 invalid_affinity_id
    """

    status_code: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    type: ClassVar[str] = "api_error"

    def __init__(self, message: str, *, param: str | None = None, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_seconds = retry_after_seconds

    @property
    def headers(self) -> dict[str, str]:
        """The headers that an HTTP answer with this error carries, names in lower case."""
        return {} if self.retry_after_seconds is None else {"retry-after": str(self.retry_after_seconds)}


class ConfigError(PlanoError):
    """A configuration file that cannot be used.

    Args:
        problems: One line each, ``FILE:LINE: what, the value, the way out``; all that were found, not the first.
    """

    code = "invalid_config"
    type = "config_error"

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class WorkerFailedError(PlanoError):
    """A process that ended over and over before it served."""

    code = "worker_failed"


class StepLimitError(PlanoError):
    """An agent's graph went on for more steps than it may."""

    code = "step_limit"


class InterruptedRunError(PlanoError):
    """An agent's graph stopped to wait for a human."""

    status_code = 501
    code = "run_interrupted"


class RunTimeoutError(PlanoError):
    """An agent's run took longer than it may."""

    status_code = 504
    code = "run_timeout"


class OverloadedError(PlanoError):
    """More requests are in flight than are configured to be."""

    status_code = 503
    code = "overloaded"
    type = "overloaded_error"


class ShuttingDownError(PlanoError):
    """The server stops, and this request was not done in time."""

    status_code = 503
    code = "shutting_down"


class StoreUnavailableError(PlanoError):
    """A store, of sessions or of threads, does not answer."""

    status_code = 503
    code = "store_unavailable"


class ThreadUnreadableError(PlanoError):
    """A thread whose stored state is not what a server would have written."""

    code = "thread_unreadable"


class InspectorUnavailableError(PlanoError):
    """The process that remembers requests for the inspector does not answer."""

    status_code = 503
    code = "inspector_unavailable"


class RequestError(PlanoError):
    """The client's request cannot be served as it stands."""

    status_code = 400
    code = "invalid_request"
    type = "invalid_request_error"


class InvalidAffinityIdError(RequestError):
    """An affinity id that breaks the id rules, or a header given twice."""

    code = "invalid_affinity_id"


class InvalidCursorError(RequestError):
    """A cursor that no page gave."""

    code = "invalid_cursor"


class UnsupportedFieldError(RequestError):
    """A field that the chosen upstream's wire format cannot carry."""

    code = "unsupported_field"


class RefusedFieldError(PlanoError):
    """A field that the model does not take, where no other model is to be tried (`unsupported_params: refuse`)."""

    status_code = 400
    code = "unsupported_field"
    type = "invalid_request_error"


class AuthenticationError(RequestError):
    """A missing or unknown client key."""

    status_code = 401
    code = "invalid_api_key"
    type = "authentication_error"

    @property
    def headers(self) -> dict[str, str]:
        """The header that names the way to bring a key (RFC 9110, section 15.5.2)."""
        return {"www-authenticate": "Bearer"}


class AdminOnlyError(RequestError):
    """An operator's endpoint, asked by somebody who may not."""

    status_code = 403
    code = "admin_only"
    type = "permission_error"


class ForeignHostError(RequestError):
    """A request to a server without keys, under a name that is not the server's."""

    status_code = 403
    code = "foreign_host"
    type = "permission_error"


class ForeignPageError(RequestError):
    """A request to a server without keys, from a web page of another site."""

    status_code = 403
    code = "foreign_page"
    type = "permission_error"


class ModelNotFoundError(RequestError):
    """A model that the configuration does not declare."""

    status_code = 404
    code = "model_not_found"


class EndpointNotFoundError(RequestError):
    """A path that is not served."""

    status_code = 404
    code = "endpoint_not_found"


class SessionNotFoundError(RequestError):
    """An affinity id without a live pin."""

    status_code = 404
    code = "session_not_found"


class ThreadNotFoundError(RequestError):
    """A thread that there is not, or that another API key's client made."""

    status_code = 404
    code = "thread_not_found"


class MethodNotAllowedError(RequestError):
    """A method that the endpoint does not take.

    Args:
        message: The path and the method.
        allow: The methods that it takes, as ``Allow`` lists them (RFC 9110, section 15.5.6).
    """

    status_code = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow

    @property
    def headers(self) -> dict[str, str]:
        """The header that names the methods."""
        return {"allow": self.allow}


class MalformedRequestError(RequestError):
    """Bytes that are not an HTTP/1.1 request, or one that could be read in two ways."""

    code = "malformed_request"


class RequestTimeoutError(RequestError):
    """A client that took too long to send its request."""

    status_code = 408
    code = "request_timeout"


class UnsupportedEncodingError(RequestError):
    """A compressed request body, which is not unpacked."""

    status_code = 415
    code = "unsupported_encoding"


class UnsupportedMediaTypeError(RequestError):
    """A request body that is not declared as JSON."""

    status_code = 415
    code = "unsupported_media_type"


class UpgradeRefusedError(RequestError):
    """A WebSocket handshake, where only plain HTTP is served."""

    status_code = 426
    code = "upgrade_refused"

    @property
    def headers(self) -> dict[str, str]:
        """The header that names the protocol that is served (RFC 9110, section 15.5.22)."""
        return {"upgrade": "HTTP/1.1"}


class HeadTooLargeError(RequestError):
    """A request head with too many bytes or lines."""

    status_code = 431
    code = "header_too_large"


class ThreadBusyError(RequestError):
    """A second run on a thread whose first run is not over."""

    status_code = 409
    code = "thread_busy"


class BodyTooLargeError(RequestError):
    """A request body over the configured limit, or with too many values."""

    status_code = 413
    code = "body_too_large"


class UpstreamError(PlanoError):
    """The provider could not be asked, or gave no usable answer."""

    status_code = 502
    code = "upstream_error"
    type = "upstream_error"


class UpstreamUnreachableError(UpstreamError):
    """No connection to the provider: refused, unresolved, reset or untrusted."""

    code = "upstream_unreachable"


class UpstreamProtocolError(UpstreamError):
    """The provider's answer is not what its wire format allows."""

    code = "upstream_protocol_error"


class UpstreamUnavailableError(UpstreamError):
    """The circuit breakers of all models that could answer are open, after consecutive failures."""

    status_code = 503
    code = "upstream_unavailable"


class UpstreamTimeoutError(UpstreamError):
    """The provider did not answer within the time allowed."""

    status_code = 504
    code = "upstream_timeout"


class ConnectTimeoutError(UpstreamTimeoutError):
    """No connection within ``timeouts.connect_seconds``."""

    code = "upstream_connect_timeout"


class FirstByteTimeoutError(UpstreamTimeoutError):
    """No byte of an answer within ``timeouts.first_byte_seconds``."""

    code = "upstream_first_byte_timeout"


class SilenceTimeoutError(UpstreamTimeoutError):
    """No byte for ``timeouts.between_bytes_seconds`` in the middle of an answer."""

    code = "upstream_silence_timeout"


class TotalTimeoutError(UpstreamTimeoutError):
    """No end of the answer within ``timeouts.total_seconds``."""

    code = "upstream_total_timeout"
