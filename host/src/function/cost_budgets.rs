//! Budgets: the instructions that a request may take, and the size of each component.
//!
//! Both are the same on every machine. A change that makes a function more or less expensive must update its budget here.

use super::*;
use crate::{manifest::Manifest, runtime_config::RuntimeConfig, store};
use World::{Wasip2, Wasip3};
use bytes::Bytes;
use futures_channel::oneshot;
use http::Method;
use http_body_util::{BodyExt, Full};
use std::{collections::BTreeSet, future::pending, path::Path};
use wasmtime::{AsContextMut, Config, OptLevel, RegallocAlgorithm};
use wasmtime_wasi_http::{
    WasiHttpView,
    handler::{Prepared, Proxy},
};

/// The tolerance of a budget in per cent; random numbers make a small difference.
const TOLERANCE: u64 = 3;
/// How many requests of each kind are measured, after a first one on the new instance.
const TIMES: u64 = 20;

/// The world that a function is built for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum World {
    Wasip2,
    Wasip3,
}

/// What a function of one world may cost.
struct Budget {
    component: &'static str,
    world: World,
    bytes: u64,
    /// The fuel that each kind of request takes, about one for each instruction. In WASI 0.2 it includes the start of the
    /// instance, which serves no other request; in WASI 0.3 the instance is warm.
    requests: &'static [(&'static str, u64)],
}

const BUDGETS: &[Budget] = &[
    Budget::new("award-points", Wasip2, 276_619, &[("award", 159_100)]),
    Budget::new("award-points", Wasip3, 333_956, &[("award", 176_500)]),
    Budget::new("console", Wasip2, 425_857, &[("page", 390_700)]),
    Budget::new("console", Wasip3, 470_497, &[("page", 403_100)]),
    Budget::new(
        "create-user",
        Wasip2,
        306_392,
        &[("create", 163_800), ("create a taken name", 164_300)],
    ),
    Budget::new(
        "create-user",
        Wasip3,
        365_477,
        &[("create", 178_900), ("create a taken name", 177_300)],
    ),
    Budget::new("erase-user", Wasip2, 227_714, &[("erase", 75_100)]),
    Budget::new("erase-user", Wasip3, 280_414, &[("erase", 87_700)]),
    Budget::new("get-history", Wasip2, 211_239, &[("history", 483_600)]),
    Budget::new("get-history", Wasip3, 266_877, &[("history", 502_600)]),
    Budget::new(
        "get-user",
        Wasip2,
        192_607,
        &[
            ("get", 119_200),
            ("not modified", 121_900),
            ("get nobody", 50_700),
        ],
    ),
    Budget::new(
        "get-user",
        Wasip3,
        248_882,
        &[
            ("get", 135_600),
            ("not modified", 136_900),
            ("get nobody", 65_800),
        ],
    ),
    Budget::new("list-users", Wasip2, 202_929, &[("list", 3_018_800)]),
    Budget::new("list-users", Wasip3, 260_007, &[("list", 3_531_800)]),
    Budget::new(
        "promote-user",
        Wasip2,
        246_498,
        &[("promote", 108_700), ("promote without a change", 151_700)],
    ),
    Budget::new(
        "promote-user",
        Wasip3,
        303_871,
        &[("promote", 119_500), ("promote without a change", 164_800)],
    ),
    Budget::new("publish-events", Wasip2, 296_791, &[("publish", 31_300)]),
    Budget::new("publish-events", Wasip3, 362_749, &[("publish", 45_500)]),
    Budget::new("update-user", Wasip2, 274_503, &[("update", 266_700)]),
    Budget::new("update-user", Wasip3, 331_603, &[("update", 279_100)]),
];

impl Budget {
    const fn new(
        component: &'static str,
        world: World,
        bytes: u64,
        requests: &'static [(&'static str, u64)],
    ) -> Self {
        Self {
            component,
            world,
            bytes,
            requests,
        }
    }

    /// The budget of a function in the world that it is built for.
    fn of(component: &str, world: World) -> &'static Self {
        let found = BUDGETS
            .iter()
            .find(|budget| budget.component == component && budget.world == world);
        found.unwrap_or_else(|| panic!("{component} has no budget for {world:?}; add one to BUDGETS"))
    }
}

/// The request called `name`; each `number` makes another one.
fn request(name: &str, number: u64) -> Request<WasiBody> {
    let record = |username: &str| {
        let record = format!(r#"{{"username":"{username}","email":"jane@example.com","points":60}}"#);
        ("/user".to_owned(), Method::POST, record)
    };
    let user = format!("user{number:02}");
    let nothing = String::new;
    let (path, method, body) = match name {
        "create" => record(&user),
        "create a taken name" => record("jane"),
        "create to be erased" => record(&format!("gone{number:02}")),
        "erase" => (format!("/user/erase/gone{number:02}"), Method::DELETE, nothing()),
        "update" => (
            "/user/update/jane".to_owned(),
            Method::PATCH,
            format!(r#"{{"number":{number}}}"#),
        ),
        "history" => ("/user/history/jane".to_owned(), Method::GET, nothing()),
        "list" => ("/users".to_owned(), Method::GET, nothing()),
        "publish" => ("/events/publish/jane".to_owned(), Method::POST, nothing()),
        "page" => ("/console/".to_owned(), Method::GET, nothing()),
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

impl Function {
    fn world(&self) -> World {
        match self {
            Self::Wasip2(_) => Wasip2,
            Self::Wasip3(_) => Wasip3,
        }
    }

    fn setup(&self) -> &Setup {
        match self {
            Self::Wasip2(proxy) => &proxy.setup,
            Self::Wasip3(handler) => &handler.state().setup,
        }
    }

    /// The fuel that a request called `name` takes; `warm` is the instance that has it in WASI 0.3.
    async fn fuel(&self, warm: &mut Instance, name: &str) -> u64 {
        warm.answer(request(name, 0)).await;
        let mut used = 0;
        for number in 1..=TIMES {
            let mut fresh;
            let (instance, before) = match self.world() {
                Wasip2 => {
                    fresh = Instance::new(self).await;
                    (&mut fresh, 0)
                }
                Wasip3 => {
                    let before = warm.used();
                    (&mut *warm, before)
                }
            };
            let status = instance.answer(request(name, number)).await;
            assert!(status < 500, "{name}: {status}");
            used += instance.used() - before;
        }
        used / TIMES
    }
}

struct Instance {
    store: Store<State>,
    proxy: Proxy,
}

impl Instance {
    async fn new(function: &Function) -> Self {
        let setup = function.setup();
        let state = setup.state();
        let engine = match function {
            Function::Wasip2(proxy) => proxy.pre.engine(),
            Function::Wasip3(handler) => handler.state().pre.engine(),
        };
        let mut store = Store::new(engine, state);
        store.set_epoch_deadline(u64::MAX / 2);
        store.set_fuel(u64::MAX).unwrap();
        let proxy = match function {
            Function::Wasip2(proxy) => Proxy::P2(proxy.pre.instantiate_async(&mut store).await.unwrap()),
            Function::Wasip3(handler) => {
                let service = &handler.state().pre;
                Proxy::P3(service.instantiate_async(&mut store).await.unwrap())
            }
        };
        Self { store, proxy }
    }

    /// The fuel used since the instance was made.
    fn used(&self) -> u64 {
        u64::MAX - self.store.get_fuel().unwrap()
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
}

/// Every function of the manifest at `path`, relative to the project, on a new store in `state_dir`.
pub(super) fn functions(path: &str, state_dir: &Path, engine: Engine) -> Vec<(String, u64, Function)> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let manifest = Manifest::load(&manifest).unwrap();
    let stores = store::open(RuntimeConfig::default(), state_dir, &manifest.components).unwrap();
    let application = Application {
        stores: Arc::new(stores),
        network: Arc::new(Network::new(BTreeSet::new())),
        defaults: Arc::new(manifest.variables),
        quiet: true,
        concurrency: 1,
    };
    let compiler = Compiler::on(engine).unwrap();
    let load = |(id, component): (String, manifest::Component)| {
        let bytes = std::fs::metadata(&component.source).unwrap().len();
        let function = compiler.load(&id, component, &application).unwrap();
        (id, bytes, function)
    };
    manifest.components.into_iter().map(load).collect()
}

/// Checks every function of a manifest against the budget of its world.
async fn check_budgets(manifest: &str) {
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut check = |what: String, cost: u64, budget: u64| {
        if cost.abs_diff(budget) * 100 > budget * TOLERANCE {
            wrong.push(format!("{what}: {cost}, and the budget is {budget}"));
        }
    };
    let mut config: Config = engine::config();
    config.consume_fuel(true);
    // Neither changes what is counted, and an unoptimized compiler takes minutes otherwise.
    config.cranelift_opt_level(OptLevel::None);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    let functions = functions(manifest, directory.path(), Engine::new(&config).unwrap());
    let (_, _, create_user) = functions
        .iter()
        .find(|(id, ..)| id == "create-user")
        .expect("the manifest has no create-user");
    let mut instance = Instance::new(create_user).await;
    assert_eq!(instance.answer(request("create a taken name", 0)).await, 201);
    for number in 0..=TIMES {
        let mut instance = Instance::new(create_user).await;
        assert_eq!(instance.answer(request("create to be erased", number)).await, 201);
    }
    for (component, bytes, function) in functions {
        let world = function.world();
        let budget = Budget::of(&component, world);
        check(format!("bytes of {component} in {world:?}"), bytes, budget.bytes);
        let mut warm = Instance::new(&function).await;
        for (name, fuel) in budget.requests {
            let used = function.fuel(&mut warm, name).await;
            check(format!("fuel of {name} in {world:?}"), used, *fuel);
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nThe budgets hold for Rust {}; another version may generate other code.",
        wrong.join("\n"),
        env!("CARGO_PKG_RUST_VERSION"),
    );
}

#[tokio::test]
async fn functions_cost_what_their_budgets_say() {
    check_budgets("spin.toml").await;
}

#[tokio::test]
async fn functions_built_for_wasip3_cost_what_their_budgets_say() {
    check_budgets("spin-wasip3.toml").await;
}
