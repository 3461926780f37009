from traitlets.config import Configurable


class EventLogger(Configurable):
    def register_event_schema(self, schema):
        pass

    def emit(self, *, schema_id, data):
        pass
