//! What a request may cost: instructions of the function that answers it, and bytes of its component.
//!
//! Both are the same on every machine, so a change that makes a function dearer, or cheaper, has to write it down here.

use super::*;
use crate::{manifest::Manifest, runtime_config::RuntimeConfig, store};
use bytes::Bytes;
use futures_channel::oneshot;
use http::Method;
use http_body_util::{BodyExt, Full};
use std::{future::pending, path::Path};
use wasmtime::AsContextMut;
use wasmtime_wasi_http::{WasiBody, handler::Prepared};

/// How far from its budget a cost may be, in per cent: random numbers make a little difference.
const TOLERANCE: u64 = 3;
/// How many times a request is sent; the first finds the instance new, so it does not count.
const TIMES: u64 = 20;

/// A function and the instructions that its requests take, in fuel (about one for each instruction).
struct Budget {
    component: &'static str,
    bytes: u64,
    requests: &'static [(&'static str, u64)],
}

const BUDGETS: [Budget; 4] = [
    Budget {
        component: "create-user",
        bytes: 262_987,
        requests: &[("create", 95_000), ("create a taken name", 92_500)],
    },
    Budget {
        component: "get-user",
        bytes: 223_270,
        requests: &[("get", 65_000), ("not modified", 65_500), ("get nobody", 56_500)],
    },
    Budget {
        component: "promote-user",
        bytes: 255_889,
        requests: &[("promote", 95_500), ("promote without a change", 96_500)],
    },
    Budget {
        component: "award-points",
        bytes: 278_443,
        requests: &[("award", 120_000)],
    },
];

/// The request of that name; `number` makes it another one than those before.
pub(super) fn request(name: &str, number: u64) -> Request<WasiBody> {
    let record = |username: &str| {
        let record = format!(r#"{{"username":"{username}","email":"jane@example.com","points":60}}"#);
        ("/user".to_owned(), Method::POST, record)
    };
    let user = format!("user{number:02}");
    let nothing = String::new;
    let (path, method, body) = match name {
        "create" => record(&user),
        "create a taken name" => record("jane"),
        "get" | "not modified" => ("/user/jane".to_owned(), Method::GET, nothing()),
        "get nobody" => ("/user/nobody".to_owned(), Method::GET, nothing()),
        "promote" => (format!("/user/promote/{user}"), Method::PUT, nothing()),
        "promote without a change" => ("/user/promote/jane".to_owned(), Method::PUT, nothing()),
        "award" => (
            "/user/points/jane".to_owned(),
            Method::POST,
            r#"{"points":1}"#.to_owned(),
        ),
        _ => panic!("no request is called {name}"),
    };
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://localhost{path}"))
        .header("spin-client-addr", "127.0.0.1:1")
        .header("content-length", body.len());
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    if let Some((_, username)) = path[1..].rsplit_once('/') {
        request = request.header("spin-path-match-username", username);
    }
    if name == "not modified" {
        request = request.header("if-none-match", "*");
    }
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
    request.body(body.boxed_unsync()).unwrap()
}

struct Instance {
    store: Store<State>,
    proxy: Proxy,
}

impl Instance {
    async fn new(function: &Function) -> Self {
        let state = State::new(
            Arc::clone(&function.access),
            Arc::clone(&function.variables),
            true,
        );
        let mut store = Store::new(function.service.engine(), state);
        store.set_epoch_deadline(u64::MAX / 2);
        store.set_fuel(u64::MAX).unwrap();
        let service = function.service.instantiate_async(&mut store).await.unwrap();
        Self {
            store,
            proxy: Proxy::P3(service),
        }
    }

    /// Answers a request, and returns the status of the answer.
    async fn answer(&mut self, request: Request<WasiBody>) -> u16 {
        let (reply, response) = oneshot::channel();
        let proxy = &self.proxy;
        let answered = self.store.run_concurrent(async move |accessor| {
            let prepared = accessor.with(|mut store| {
                Prepared::new(store.as_context_mut(), proxy, request, State::http, reply)
            })?;
            prepared.run(accessor, pending()).await?;
            let (parts, body) = response.await??.into_parts();
            body.collect().await?;
            wasmtime::error::Ok(parts.status.as_u16())
        });
        answered.await.unwrap().unwrap()
    }

    /// The fuel that one request of this name takes, once the instance is warm.
    async fn fuel(&mut self, name: &str) -> u64 {
        self.answer(request(name, 0)).await;
        let before = self.store.get_fuel().unwrap();
        for number in 1..=TIMES {
            let status = self.answer(request(name, number)).await;
            assert!(status < 500, "{name}: {status}");
        }
        (before - self.store.get_fuel().unwrap()) / TIMES
    }
}

/// Every function of `spin.toml`, on one new store.
pub(super) fn functions(state_dir: &Path, engine: Engine) -> Vec<(String, u64, Handler)> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
    let manifest = Manifest::load(&manifest).unwrap();
    let stores = store::open(RuntimeConfig::default(), state_dir, &manifest.components).unwrap();
    let application = Application {
        stores: Arc::new(stores),
        defaults: Arc::new(manifest.variables),
        quiet: true,
        concurrency: 1,
    };
    let compiler = Compiler::on(engine).unwrap();
    let load = |(id, component): (String, manifest::Component)| {
        let bytes = std::fs::metadata(&component.source).unwrap().len();
        let handler = compiler.load(&id, component, &application).unwrap();
        (id, bytes, handler)
    };
    manifest.components.into_iter().map(load).collect()
}

#[tokio::test]
async fn are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut check = |what: String, cost: u64, budget: u64| {
        if cost.abs_diff(budget) * 100 > budget * TOLERANCE {
            wrong.push(format!("{what}: {cost}, and the budget is {budget}"));
        }
    };
    let mut config = config();
    config.consume_fuel(true);
    let functions = functions(directory.path(), Engine::new(&config).unwrap());
    let (_, _, create_user) = functions.iter().find(|(id, ..)| id == "create-user").unwrap();
    let mut instance = Instance::new(create_user.state()).await;
    assert_eq!(instance.answer(request("create a taken name", 0)).await, 201);
    for (component, bytes, handler) in functions {
        let budget = BUDGETS
            .iter()
            .find(|budget| budget.component == component)
            .unwrap();
        check(format!("bytes of {component}"), bytes, budget.bytes);
        let mut instance = Instance::new(handler.state()).await;
        for (name, fuel) in budget.requests {
            check(format!("fuel of {name}"), instance.fuel(name).await, *fuel);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
