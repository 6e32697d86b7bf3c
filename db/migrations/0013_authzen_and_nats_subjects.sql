-- phase: expand
--
-- What holders of a role may publish and subscribe to on a NATS server that asks Aero2.
--
-- The built-in permission `authz:evaluate` of every application whose rows are in this cluster, also in the
-- role that holds everything. An application that has a permission of this name keeps it as it is.

ALTER TABLE roles ADD COLUMN nats jsonb;
ALTER TABLE organization_roles ADD COLUMN nats jsonb;

ALTER TABLE roles NO FORCE ROW LEVEL SECURITY;
ALTER TABLE permissions NO FORCE ROW LEVEL SECURITY;
ALTER TABLE role_permissions NO FORCE ROW LEVEL SECURITY;
INSERT INTO permissions (app_id, id, name, resource, action, description, is_system)
SELECT app_id, 'authz:evaluate', 'authz:evaluate', 'authz', 'evaluate',
    'Ask which user may do what, as an AuthZEN enforcement point', true
FROM permissions
WHERE id = 'audit:read' AND is_system
ON CONFLICT DO NOTHING;
INSERT INTO role_permissions (app_id, role_id, permission_id)
SELECT r.app_id, r.id, p.id
FROM roles r
JOIN permissions p ON p.app_id = r.app_id AND p.id = 'authz:evaluate'
WHERE r.is_system AND r.id IN ('admin', 'operator')
ON CONFLICT DO NOTHING;
ALTER TABLE role_permissions FORCE ROW LEVEL SECURITY;
ALTER TABLE permissions FORCE ROW LEVEL SECURITY;
ALTER TABLE roles FORCE ROW LEVEL SECURITY;
