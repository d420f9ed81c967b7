// What scripts/lint must find (`expect:` at the end of a line) and what it must accept. Never compiled.

awaitable<void> crashes(net::executor ex, std::string s, bool ok) {
  co_await f(agg{s, 1});                                           // expect: aggregate
  co_await f({.host = s});                                         // expect: aggregate
  auto [ec, n] = co_await stream.connect(net::options{.host = s},  // expect: aggregate
                                         token);
  co_await f(1, g(agg{s}));                               // expect: aggregate
  auto made = agg{s, co_await f()};                       // expect: aggregate
  agg other{1, co_await f()};                             // expect: aggregate
  co_await call([s] { use(s); });                         // expect: lambda
  co_await call([=] { use(s); });                         // expect: lambda
  co_await call([x = std::move(s)]() { use(x); });        // expect: lambda
  co_await call([&ok, s](int i) mutable { use(s, i); });  // expect: lambda
  co_await co_spawn(
      ex, [s]() -> awaitable<void> { co_await f(s); }, use_awaitable);  // expect: lambda
  co_await [s]() -> awaitable<void> { co_return; }();                   // expect: lambda
  co_await (call([s] { use(s); }) || sleep(1));                         // expect: lambda
  auto x = ok ? co_await f() : std::string{};                           // expect: ternary
  auto y = (co_await g()) ? s : t;                                      // expect: ternary
  use(co_await f(ok ? s : t));                                          // expect: ternary
  auto z = (ok ? s : t) + co_await f();                                 // expect: ternary
  co_await f({});                                                       // expect: aggregate
  if (ok) throw error(co_await f());                                    // expect: throw
  throw error("no", co_await f());                                      // expect: throw
  for (auto& part : co_await f(agg{s})) use(part);                      // expect: aggregate
  while (co_await f(agg{s})) use(s);                                    // expect: aggregate
  if (ok) {
    co_return agg{s, co_await f()};  // expect: aggregate
  }
  auto later = [&]() -> awaitable<void> {
    co_await f(agg{s});  // expect: aggregate
    co_return;
  };
  co_await later();
}

awaitable<int> fine(net::executor ex, std::string s, bool ok) {
  agg named{s, 1};
  co_await f(std::move(named));
  co_await f(cls(s), make_agg(s), std::pair(1, s));
  co_await call([&] { use(s, agg{s}); });
  co_await call([&s, this](auto handler) { return handler(ok ? agg{s} : agg{}); });
  co_await call([] { return std::vector<int>{1, 2}; });
  co_spawn(
      ex, [s]() -> awaitable<void> { co_await f(s); }, detached);
  auto x = ok ? agg{s} : agg{};
  if (auto y = co_await f(table[2], s[n]); y) use(agg{s});
  for (auto& part : co_await f(s)) use(part);
  co_await (a() || b());
  use(co_await f(s), 1'000'000, '?', "co_await f(agg{s}) ? 1 : 2");  // co_await f(agg{s})
  co_await f(ok ? 404 : 400, ok ? "yes" : "no", table ? &*table : nullptr);
  /* throw error(co_await f()); */
  const char* raw = R"(co_await f(agg{s}))";
  co_await f(seconds{1});  // lint: fine
  if (ok) {
    co_await f(s);
  } else {
    throw error(agg{s});
  }
  auto z = co_await f(s);
  switch (z) {
    case 1:
      co_await f(s);
      break;
    default:
      break;
  }
  if (ok) co_return co_await f(s);
  try {
    co_await f(s);
  } catch (const std::exception&) {
    throw;
  }
  auto handler = [s]() -> awaitable<int> { co_return co_await f(s); };
  co_return ok ? 1 : 2;
}

awaitable<void> one_line() {
  co_await f();
}
struct holder {
  awaitable<void> run() { return go(agg{1}); }
  awaitable<void> go() { co_await f(); }
};
