"""Whatever is done to people leaves an entry, whoever does it and by whatever way: a page, a command, or SQL.

The entry names whoever `audit.acting` says is at it; nobody says so from a command line or from psql. A password is told
as changed, never what it is. Signing in changes last_login only, and writes nothing here.

No trigger names a column: the tables are Django's, and PostgreSQL lets no column change its type that a trigger names.
"""

from django.db import migrations

TELL = """
CREATE FUNCTION audit_new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
    substring(int8send((EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

CREATE FUNCTION audit_tell(_event text, _unit uuid, _data jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  _actor text := COALESCE(NULLIF(current_setting('holdpoint.actor', true), ''), 'system:database');
  _name text := COALESCE(NULLIF(current_setting('holdpoint.actor_name', true), ''), 'database');
BEGIN
  PERFORM audit_append('security', jsonb_build_array(jsonb_build_object(
    'id', audit_new_id(), 'event', _event, 'actor', _actor, 'actor_name', _name, 'object', NULL, 'unit', _unit,
    'before', '', 'after', '', 'why', '', 'data', jsonb_strip_nulls(_data)::text)));
END $$;

CREATE FUNCTION audit_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  _shown text[] := '{username,first_name,last_name,email,is_active,is_staff,is_superuser}';
  _before jsonb := '{}'; _after jsonb := '{}'; _person jsonb; _event text; _changed text; _key text;
BEGIN
  IF TG_OP <> 'INSERT' THEN _before := to_jsonb(OLD); END IF;
  IF TG_OP <> 'DELETE' THEN _after := to_jsonb(NEW); END IF;
  _person := CASE TG_OP WHEN 'DELETE' THEN _before ELSE _after END;
  _event := CASE TG_OP WHEN 'INSERT' THEN 'account_made' WHEN 'DELETE' THEN 'account_removed' ELSE 'account_changed' END;
  SELECT string_agg(key, ', ' ORDER BY key) INTO _changed FROM unnest(_shown || '{password}'::text[]) AS key
    WHERE _before -> key IS DISTINCT FROM _after -> key;
  FOREACH _key IN ARRAY ARRAY(SELECT jsonb_object_keys(_before || _after)) LOOP
    IF NOT _key = ANY (_shown) OR _before -> _key = _after -> _key THEN
      _before := _before - _key; _after := _after - _key;
    END IF;
  END LOOP;
  IF TG_OP <> 'UPDATE' THEN _changed := NULL; END IF;
  IF TG_OP <> 'UPDATE' OR _changed IS NOT NULL THEN
    PERFORM audit_tell('person.' || _event, NULL, jsonb_build_object(
      'person', 'user:' || (_person ->> 'id'), 'name', _person ->> 'username', 'changed', _changed,
      'before', NULLIF(_before, '{}'), 'after', NULLIF(_after, '{}')));
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION audit_role(_verb text, _row jsonb, _unit uuid, _where text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  _is_person boolean := _row ? 'user_id';
  _name text; _role text;
BEGIN
  IF _is_person THEN
    SELECT username INTO _name FROM auth_user WHERE id = (_row ->> 'user_id')::bigint;
  ELSE
    SELECT name INTO _name FROM auth_group WHERE id = (_row ->> 'group_id')::bigint;
  END IF;
  IF _row ? 'permission_id' THEN
    SELECT app_label || '.' || codename INTO _role FROM auth_permission JOIN django_content_type AS kind
      ON kind.id = content_type_id WHERE auth_permission.id = (_row ->> 'permission_id')::bigint;
    _role := COALESCE(_role, 'permission ' || (_row ->> 'permission_id'));
  ELSE
    SELECT 'group ' || name INTO _role FROM auth_group WHERE id = (_row ->> 'group_id')::bigint;
    _role := COALESCE(_role, 'group ' || (_row ->> 'group_id'));
  END IF;
  PERFORM audit_tell(CASE WHEN _is_person THEN 'person.role_' ELSE 'group.role_' END || _verb, _unit, jsonb_build_object(
    'person', 'user:' || (_row ->> 'user_id'), 'group', CASE WHEN NOT _is_person THEN (_row ->> 'group_id')::bigint END,
    'name', COALESCE(_name, _row ->> 'user_id', _row ->> 'group_id'), 'role', _role || COALESCE(' on ' || _where, '')));
END $$;

CREATE FUNCTION audit_roles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN PERFORM audit_role('taken', to_jsonb(OLD), NULL, NULL); END IF;
  IF TG_OP <> 'DELETE' THEN PERFORM audit_role('given', to_jsonb(NEW), NULL, NULL); END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER auth_user_told AFTER INSERT OR DELETE ON auth_user FOR EACH ROW EXECUTE FUNCTION audit_account();
CREATE TRIGGER auth_user_change_told AFTER UPDATE ON auth_user FOR EACH ROW
  WHEN (to_jsonb(OLD) - 'last_login' IS DISTINCT FROM to_jsonb(NEW) - 'last_login') EXECUTE FUNCTION audit_account();
CREATE TRIGGER auth_user_groups_told AFTER INSERT OR UPDATE OR DELETE ON auth_user_groups
  FOR EACH ROW EXECUTE FUNCTION audit_roles();
CREATE TRIGGER auth_user_user_permissions_told AFTER INSERT OR UPDATE OR DELETE ON auth_user_user_permissions
  FOR EACH ROW EXECUTE FUNCTION audit_roles();
CREATE TRIGGER auth_group_permissions_told AFTER INSERT OR UPDATE OR DELETE ON auth_group_permissions
  FOR EACH ROW EXECUTE FUNCTION audit_roles();
"""
TELL_NOT = """
DROP TRIGGER auth_group_permissions_told ON auth_group_permissions;
DROP TRIGGER auth_user_user_permissions_told ON auth_user_user_permissions;
DROP TRIGGER auth_user_groups_told ON auth_user_groups;
DROP TRIGGER auth_user_change_told ON auth_user;
DROP TRIGGER auth_user_told ON auth_user;
DROP FUNCTION audit_roles();
DROP FUNCTION audit_role(text, jsonb, uuid, text);
DROP FUNCTION audit_account();
DROP FUNCTION audit_tell(text, uuid, jsonb);
DROP FUNCTION audit_new_id();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0008_never_emptied"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunSQL(TELL, TELL_NOT)]
