#include "cooldown/net/client_watch.hpp"

#include <gtest/gtest.h>

#include "socket_pair.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;

namespace {

struct ClientWatch : ::testing::Test {
  asio::io_context io{1};
  deadline_sweep sweep{io};
  socket_pair pair{io};
  far_end& client = pair.far;
  interrupt ctl{sweep, pair.near};
  client_watch watch{nullptr, sweep, ctl};

  bool sees_departure() {
    return run_until(io, [&] { return ctl.fired(); }) && ctl.why() == interruption::client_gone;
  }
};

}  // namespace

TEST_F(ClientWatch, SeesAnEnd) {
  watch.arm();
  client.shutdown_send();
  EXPECT_TRUE(sees_departure());
}

TEST_F(ClientWatch, SeesAnEndBehindBytesOfTheNextRequest) {
  watch.arm();
  client.send("GET / HT");
  EXPECT_FALSE(run_until(io, [end = std::chrono::steady_clock::now() + 1s,
                              this] { return ctl.fired() || std::chrono::steady_clock::now() > end; }) &&
               ctl.fired())
      << "bytes are no departure";
  client.close();
  EXPECT_TRUE(sees_departure());
}

TEST_F(ClientWatch, GoesOnWhenADeadlineHasEndedAnotherWait) {
  watch.arm();
  io.poll();
  ctl.fire(interruption::timeout);
  io.restart();
  io.poll();
  ctl.reset();
  client.close();
  EXPECT_TRUE(sees_departure());
}

TEST_F(ClientWatch, LooksForNobodyBetweenExchanges) {
  watch.arm();
  client.send("GET / HT");
  io.run_for(50ms);
  watch.rest();
  client.close();
  io.restart();
  io.run();
  EXPECT_FALSE(ctl.fired());
}
