use serde_json::json;

use crate::{ENTERPRISE, GROUP, Service, USER, header, on_both, refused};

on_both!(the_service_describes_itself, discovery_can_only_be_read);

async fn the_service_describes_itself(service: Service) {
    let config = service.get("/ServiceProviderConfig").await;
    assert_eq!((config.status, header(&config, "content-type")), (200, "application/scim+json"));
    for (feature, supported) in
        [("patch", true), ("bulk", true), ("filter", true), ("changePassword", false), ("sort", true), ("etag", true)]
    {
        assert_eq!(config.body[feature]["supported"], json!(supported), "{feature}");
    }
    assert_eq!(config.text("/authenticationSchemes/0/type"), "oauthbearertoken");
    assert_eq!(config.body["pagination"]["cursor"], json!(true));

    let types = service.get("/ResourceTypes").await;
    assert_eq!(types.body["totalResults"], 2);
    for schema in [USER, GROUP, ENTERPRISE] {
        for path in [schema.to_owned(), schema.replace(':', "%3A")] {
            let found = service.get(&format!("/Schemas/{path}")).await;
            assert_eq!((found.status, found.text("/id")), (200, schema), "{:?}", found.body);
            assert!(found.text("/meta/location").ends_with(&format!("/scim/v2/Schemas/{schema}")));
        }
    }
    assert_eq!(service.get("/Schemas").await.body["totalResults"], 3);
    let all = service.raw("GET", "/api/v1/scim/ResourceTypes", &[], "").await;
    assert_eq!((all.status, &all.body["totalResults"]), (200, &json!(4)));
    assert_eq!(service.get("/ResourceTypes/User").await.text("/endpoint"), "/Users");
    refused(&service.get("/ResourceTypes/Robot").await, 404, "");
    refused(&service.get("/Schemas/urn:x").await, 404, "");
}

async fn discovery_can_only_be_read(service: Service) {
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/ResourceTypes/User"] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let answer = service.send(method, path, json!({})).await;
            refused(&answer, 405, "");
            assert_eq!(header(&answer, "allow"), "GET, HEAD");
        }
    }
    refused(&service.get("/Schemas?filter=id%20pr").await, 403, "");
    assert_eq!(service.get("/ServiceProviderConfig?filter=x&count=1").await.status, 200);
}
