// A SCIM 2.0 service provider for tests: scimmy and scimmy-routers (written by others) over a store in memory.
//
// What it answers is scimmy's doing; ours are only the store, uniqueness, the bearer token and the counters. Express stays
// at 4: under express 5 `req.query` is computed anew at each access, so scimmy-routers' numbers for startIndex and count
// get lost and every page is the first one.
//
// Environment: SCIM_TOKEN the bearer token; SCIM_MODULES the folder that holds node_modules; SCIM_MAX_PAGE (optional) the
// most resources a page holds. Prints `{"port":N}` when it accepts requests.
import { createRequire } from "node:module";
import { randomUUID } from "node:crypto";
import { join } from "node:path";

const require = createRequire(join(process.env.SCIM_MODULES, "server.mjs"));
const express = require("express");
const SCIMMY = require("scimmy").default ?? require("scimmy");
const { default: SCIMMYRouters } = require("scimmy-routers");

const token = process.env.SCIM_TOKEN;
const maxPage = Number(process.env.SCIM_MAX_PAGE ?? 0);
const ScimError = SCIMMY.Types.Error;
const stores = { User: new Map(), Group: new Map() };

const notFound = (kind, id) => new ScimError(404, null, `${kind} ${id} not found`);
const fold = (text) => String(text ?? "").toLowerCase();

/// What leaves the store: users carry the groups they are in, as RFC 7643 section 4.1.2 wants (read only, derived).
function shown(kind, record) {
    if (kind !== "User") return record;
    const groups = [...stores.Group.values()]
        .filter((group) => group.members?.some((member) => member.value === record.id))
        .map((group) => ({ value: group.id, display: group.displayName, type: "direct" }));
    return groups.length ? { ...record, groups } : record;
}

function egress(kind) {
    return (resource) => {
        const store = stores[kind];
        if (resource.id) {
            const found = store.get(resource.id);
            if (!found) throw notFound(kind, resource.id);
            return shown(kind, found);
        }
        const all = [...store.values()].map((record) => shown(kind, record));
        // Sorting and paging are scimmy's, from resource.constraints; only the cap on a page is set here.
        if (maxPage && resource.constraints) {
            resource.constraints.count = Math.min(resource.constraints.count ?? maxPage, maxPage);
        } else if (maxPage) {
            resource.constraints = { count: maxPage };
        }
        return resource.filter ? resource.filter.match(all) : all;
    };
}

function ingress(kind) {
    return (resource, instance) => {
        const store = stores[kind];
        const before = resource.id ? store.get(resource.id) : undefined;
        if (resource.id && !before) throw notFound(kind, resource.id);
        const record = JSON.parse(JSON.stringify(instance));
        if (kind === "User") {
            const name = fold(record.userName);
            for (const other of store.values()) {
                if (other.id !== resource.id && fold(other.userName) === name) {
                    throw new ScimError(409, "uniqueness", `userName ${record.userName} is taken by ${other.id}`);
                }
            }
        } else {
            for (const { value } of record.members ?? []) {
                if (!stores.User.has(value) && !stores.Group.has(value)) {
                    throw new ScimError(400, "invalidValue", `member ${value} does not exist`);
                }
            }
        }
        const now = new Date().toISOString();
        record.id = before?.id ?? randomUUID();
        record.meta = { resourceType: kind, created: before?.meta.created ?? now, lastModified: now };
        store.set(record.id, record);
        return shown(kind, record);
    };
}

function degress(kind) {
    return (resource) => {
        if (!stores[kind].delete(resource.id)) throw notFound(kind, resource.id);
        for (const group of stores.Group.values()) {
            group.members = group.members?.filter((member) => member.value !== resource.id);
        }
    };
}

SCIMMY.Resources.declare(SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false));
SCIMMY.Resources.declare(SCIMMY.Resources.Group);
for (const kind of ["User", "Group"]) {
    SCIMMY.Resources[kind].ingress(ingress(kind)).egress(egress(kind)).degress(degress(kind));
}

// Requests by method, plus `writes`: those that may change something (a POST to .search only reads).
const counts = {};
function count(request, _response, next) {
    counts[request.method] = (counts[request.method] ?? 0) + 1;
    const reads = ["GET", "HEAD", "OPTIONS"].includes(request.method) || request.path.endsWith("/.search");
    if (!reads) counts.writes = (counts.writes ?? 0) + 1;
    next();
}

const app = express();
app.disable("x-powered-by");
app.get("/__writes", (_request, response) => response.json({ writes: 0, ...counts }));
app.delete("/__writes", (_request, response) => {
    for (const key of Object.keys(counts)) delete counts[key];
    response.status(204).end();
});
app.use("/scim/v2", count, new SCIMMYRouters({
    type: "bearer",
    docUri: "https://www.rfc-editor.org/rfc/rfc6750",
    handler: (request) => {
        if (request.header("authorization") !== `Bearer ${token}`) throw new Error("bearer token missing or wrong");
    },
    baseUri: (request) => `http://${request.header("host")}`,
}));

const server = app.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
