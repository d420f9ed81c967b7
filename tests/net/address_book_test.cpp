// Look-ups: one for all who wait, each of whom waits as long as it likes, and none that anybody has to wait for.
#include "cooldown/net/address_book.hpp"

#include <functional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include "fake_names.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

struct asker {
  explicit asker(deadline_sweep& sweep, tcp_socket& client) : ctl(sweep, client) {}
  interrupt ctl;
  bool over = false;
  error_code failed;
  std::vector<std::string> got;
};

struct AddressBook : with_fake_names {
  deadline_sweep sweep{io};
  tcp_socket client{io};
  std::unique_ptr<address_book> book;

  void SetUp() override {
    with_fake_names::SetUp();
    names.addresses = {"127.0.0.2"};
    book = std::make_unique<address_book>(io, "provider.test", 80);
  }

  static task<void> find(address_book& from, asker& by) {
    endpoints found;
    by.failed = co_await from.find(by.ctl, found);
    for (auto const& e : found) by.got.push_back(e.address().to_string());
    by.over = true;
  }
  void ask(asker& by) {
    asio::co_spawn(io, find(*book, by), asio::detached);
    io.restart();
    io.poll();
  }
  std::vector<std::string> found() {
    asker a(sweep, client);
    ask(a);
    run_until([&] { return a.over; });
    return a.got;
  }
};

}  // namespace

TEST_F(AddressBook, OneLookUpIsForAllWhoWait) {
  names.close_door();
  std::list<asker> all;
  for (int i = 0; i < 20; ++i) ask(all.emplace_back(sweep, client));
  run_until([] { return names.asked > 0; });
  names.open_door();
  for (auto& a : all) {
    run_until([&] { return a.over; });
    EXPECT_THAT(a.got, ElementsAre("127.0.0.2"));
  }
  EXPECT_EQ(names.asked, 1);
}

TEST_F(AddressBook, ALookUpThatHangsIsWaitedForAsLongAsEachLikes) {
  names.close_door();
  asker patient(sweep, client);
  asker impatient(sweep, client);
  ask(patient);
  impatient.ctl.set(1ms);
  ask(impatient);
  run_until([&] { return impatient.over; });
  EXPECT_EQ(impatient.ctl.why(), interruption::timeout);
  EXPECT_THAT(impatient.got, IsEmpty());
  EXPECT_FALSE(patient.over);
  names.open_door();
  run_until([&] { return patient.over; });
  EXPECT_THAT(patient.got, ElementsAre("127.0.0.2"));
}

TEST_F(AddressBook, NobodyWaitsForALookUpAtTheEnd) {
  names.close_door();
  asker a(sweep, client);
  ask(a);
  run_until([] { return names.asked == 1; });
  book->close();
  run_until([&] { return a.over; });
  EXPECT_TRUE(a.failed);
  book.reset();  // while the look-up is still under way
  EXPECT_EQ(names.asked, 1);
}

TEST_F(AddressBook, AddressesInDoubtAreUsedOnlyWhereNoOthersCome) {
  EXPECT_THAT(found(), ElementsAre("127.0.0.2"));
  book->doubt();
  names.fails_with = EAI_AGAIN;
  EXPECT_THAT(found(), ElementsAre("127.0.0.2")) << "better than none";
  names.fails_with = 0;
  names.close_door();
  names.addresses = {"127.0.0.3"};
  run_until([&] {
    auto const before = names.asked.load();
    asker a(sweep, client);
    a.ctl.set(1ms);
    ask(a);
    run_until([&] { return a.over; });
    EXPECT_THAT(a.got, ElementsAre("127.0.0.2")) << "nobody answers that question in time";
    EXPECT_FALSE(a.ctl.fired());
    return before > 2;
  });
  names.open_door();
  EXPECT_THAT(found(), ElementsAre("127.0.0.3"));
}

TEST_F(AddressBook, ANameThatThereIsNotAnyMoreLeadsNowhere) {
  EXPECT_THAT(found(), ElementsAre("127.0.0.2"));
  book->doubt();
  names.addresses.clear();
  EXPECT_THAT(found(), IsEmpty());
  names.addresses = {"127.0.0.3"};
  EXPECT_THAT(found(), ElementsAre("127.0.0.3"));
}

TEST_F(AddressBook, FamiliesTakeTurnsAndWhatWorkedIsFirst) {
  names.addresses = {"::1", "::2", "::3", "127.0.0.2", "127.0.0.3"};
  EXPECT_THAT(found(), ElementsAre("::1", "127.0.0.2", "::2", "127.0.0.3", "::3"));
  book->worked({asio::ip::make_address("127.0.0.3"), 80});
  EXPECT_THAT(found(), ElementsAre("127.0.0.3", "::1", "127.0.0.2", "::2", "::3"));
  book->doubt();
  EXPECT_THAT(found(), ElementsAre("127.0.0.3", "::1", "127.0.0.2", "::2", "::3")) << "looked up again";
  EXPECT_EQ(names.asked, 2);
}

TEST_F(AddressBook, LocalhostIsBothOfItsAddresses) {
  book = std::make_unique<address_book>(io, "localhost", 80);
  EXPECT_THAT(found(), ElementsAre("::1", "127.0.0.1"));
  book = std::make_unique<address_book>(io, "::2", 80);
  EXPECT_THAT(found(), ElementsAre("::2"));
}
