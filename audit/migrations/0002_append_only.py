"""The audit floor in the database: appending to a chain, refusing every other write, and the lifecycle guard.

audit_append is the one writer of events. Each hash is SHA-256(previous hash || canonical event), where the canonical
event is PostgreSQL's json_build_array text of the listed fields; `audit.verify` recomputes it from an export.
"""

from django.db import migrations

APPEND = """
CREATE FUNCTION audit_append(_stream text, _events jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  _seq bigint; _head bytea; _at timestamptz; _e jsonb;
BEGIN
  SELECT seq, head INTO _seq, _head FROM audit_auditstream WHERE key = _stream FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO audit_auditstream (key, seq, head) VALUES (_stream, 0, ''::bytea) ON CONFLICT (key) DO NOTHING;
    SELECT seq, head INTO _seq, _head FROM audit_auditstream WHERE key = _stream FOR UPDATE;
  END IF;
  FOR _e IN SELECT * FROM jsonb_array_elements(_events) LOOP
    _seq := _seq + 1;
    _at := clock_timestamp();
    _head := sha256(_head || convert_to(json_build_array(
      _stream, _seq, to_char(_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      _e->>'id', _e->>'event', _e->>'actor', _e->>'actor_name', _e->>'object', _e->>'unit',
      _e->>'before', _e->>'after', _e->>'why', _e->>'data')::text, 'UTF8'));
    INSERT INTO audit_auditevent
      (id, stream, seq, at, event, actor, actor_name, object_id, unit_id, before, after, why, data, hash)
    VALUES ((_e->>'id')::uuid, _stream, _seq, _at, _e->>'event', _e->>'actor', _e->>'actor_name',
      (_e->>'object')::uuid, (_e->>'unit')::uuid, _e->>'before', _e->>'after', _e->>'why', _e->>'data', _head);
  END LOOP;
  UPDATE audit_auditstream SET seq = _seq, head = _head WHERE key = _stream;
  RETURN _seq;
END $$;

CREATE FUNCTION audit_moved(
  _id text, _noun text, _object uuid, _unit uuid, _before text, _after text, _actor text, _data text
) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('id', _id, 'event', _noun || '.' || _after, 'actor', 'system:' || _actor,
    'actor_name', _actor, 'object', _object, 'unit', _unit, 'before', _before, 'after', _after, 'why', '', 'data', _data)
$$;

CREATE FUNCTION audit_expect(_wanted bigint, _moved bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF _wanted <> _moved THEN
    RAISE EXCEPTION 'stale: % of % guarded rows moved', _moved, _wanted USING ERRCODE = 'HP001';
  END IF;
END $$;

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'HP002';
END $$;

CREATE FUNCTION lifecycle_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NOT (NEW.status = ANY (TG_ARGV[1]::text[])) THEN
      RAISE EXCEPTION '%: no row is born %', TG_TABLE_NAME, NEW.status USING ERRCODE = 'HP003';
    END IF;
  ELSIF NEW.status IS DISTINCT FROM OLD.status
        AND NOT ((OLD.status || '>' || NEW.status) = ANY (TG_ARGV[0]::text[])) THEN
    RAISE EXCEPTION '%: % -> % is not an edge', TG_TABLE_NAME, OLD.status, NEW.status USING ERRCODE = 'HP003';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER audit_auditevent_append_only BEFORE UPDATE OR DELETE ON audit_auditevent
  FOR EACH ROW EXECUTE FUNCTION append_only();
"""

REMOVE = """
DROP TRIGGER audit_auditevent_append_only ON audit_auditevent;
DROP FUNCTION lifecycle_guard();
DROP FUNCTION append_only();
DROP FUNCTION audit_expect(bigint, bigint);
DROP FUNCTION audit_moved(text, text, uuid, uuid, text, text, text, text);
DROP FUNCTION audit_append(text, jsonb);
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunSQL(APPEND, REMOVE)]
