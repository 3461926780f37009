"""Stands in for the few names of pydantic 2 that JupyterHub's shares use; Debian 12 has none of that release."""
import types
import typing


class ValidationError(ValueError):
    pass


def ConfigDict(**options):
    return options


class _Bounded:
    def __init__(self, ge, le):
        self.ge, self.le = ge, le


def conint(ge=None, le=None):
    return typing.Annotated[int, _Bounded(ge, le)]


def field_validator(field):
    def mark(method):
        method.__func__._of_field = field
        return method
    return mark


def model_validator(mode):
    def mark(method):
        method._of_model = mode
        return method
    return mark


def _fits(value, wanted):
    origin, inside = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, w) for w in inside)
    if origin is typing.Annotated:
        return _fits(value, inside[0]) and inside[1].ge <= value <= inside[1].le
    if origin is list:
        return isinstance(value, list) and all(_fits(v, inside[0]) for v in value)
    return isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))


class BaseModel:
    def __init__(self, **given):
        fields = typing.get_type_hints(type(self), include_extras=True)
        fields.pop("model_config", None)
        for name in given:
            if name not in fields:
                raise ValidationError("%s: extra inputs are not permitted" % name)
        for name, wanted in fields.items():
            value = given.get(name, getattr(type(self), name, None))
            if name in given and not _fits(value, wanted):
                raise ValidationError("%s: input is not valid" % name)
            setattr(self, name, value)
        try:
            self._run_checks(given)
        except ValidationError:
            raise
        except ValueError as e:
            raise ValidationError(str(e)) from e

    def _run_checks(self, given):
        found = {n: v for c in reversed(type(self).__mro__) for n, v in vars(c).items()}
        for name, check in found.items():
            field = getattr(getattr(check, "__func__", check), "_of_field", None)
            if field in given:
                setattr(self, field, getattr(type(self), name)(given[field]))
        for name, check in found.items():
            if getattr(check, "_of_model", None):
                getattr(self, name)()
