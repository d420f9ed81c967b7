#include "cooldown/state/keeper.hpp"

#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

namespace cooldown::state {
namespace {

// Rows that wait while the file cannot be written; further ones are lost.
constexpr std::size_t most_pending = 65'536;
constexpr duration prune_every = std::chrono::hours{1};

/// So that another file can be made in its place. Returns its new name.
std::string move_aside(const std::string& file) {
  auto aside = file + ".damaged";
  std::error_code ignored;
  std::filesystem::rename(file, aside, ignored);
  for (auto const* const part : {"-wal", "-shm"}) std::filesystem::remove(file + part, ignored);
  return aside;
}

}  // namespace

/// Shared with the thread, which may outlive the keeper if the disk does not answer.
struct keeper::work {
  std::string file;
  retention keep;
  std::function<void(const std::string&)> tell;
  std::optional<store> database{};  // of the thread, once it runs
  std::string last_problem{};
  wall_time pruned{};

  std::mutex guard{};
  std::condition_variable changed{};
  std::optional<snapshot> pending{};
  bool fresh = false;  // something has been submitted
  bool closing = false;
  bool ended = false;

  void run();
  void write(snapshot what);
  void put_back(snapshot what);
  store* open();
  void say(const std::string& text);
  void complain(const std::string& problem);
  void begin_anew(const damaged& why);
};

void keeper::work::say(const std::string& text) {
  std::lock_guard const hold(guard);
  if (tell) tell(text);
}

void keeper::work::complain(const std::string& problem) {
  if (std::exchange(last_problem, problem) != problem) say(problem);
}

/// The next file is a new one.
void keeper::work::begin_anew(const damaged& why) {
  database.reset();
  complain(std::string(why.what()) + ": what was learned and counted is lost; the file is kept as " + move_aside(file));
}

/// nullptr: it cannot be opened now.
store* keeper::work::open() {
  if (database) return &*database;
  try {
    try {
      database.emplace(file);
    } catch (const damaged& why) {
      begin_anew(why);
      database.emplace(file);
    }
    return &*database;
  } catch (const store_error& why) {
    complain(std::string(why.what()) + ": nothing is remembered over a restart (state.file; said once)");
    return nullptr;
  }
}

void keeper::work::write(snapshot what) {
  auto* const to = open();
  if (!to) return put_back(std::move(what));
  try {
    to->write(what.used, what.learned);
    if (!std::exchange(last_problem, {}).empty()) say(file + ": written again");
    if (what.at - pruned < prune_every) return;
    pruned = what.at;
    to->prune(keep, what.at);
  } catch (const damaged& why) {
    begin_anew(why);
    put_back(std::move(what));
  } catch (const store_error& why) {
    database.reset();
    complain(std::string(why.what()) + ": nothing is remembered until it can be written again (state.file; said once)");
    put_back(std::move(what));
  } catch (const std::bad_alloc&) {
    database.reset();
    put_back(std::move(what));
  }
}

/// It is written together with the next.
void keeper::work::put_back(snapshot what) {
  std::lock_guard const hold(guard);
  if (!pending) {
    pending.emplace(std::move(what));
    return;
  }
  if (pending->used.size() < most_pending) add(pending->used, what.used);
}

void keeper::work::run() {
  std::unique_lock hold(guard);
  for (;;) {
    changed.wait(hold, [&] { return closing || fresh; });
    // What could not be written waits for the next snapshot, or for the end.
    auto what = std::exchange(pending, std::nullopt);
    fresh = false;
    bool const last = closing;
    hold.unlock();
    try {
      if (what) write(std::move(*what));
    } catch (const std::bad_alloc&) {  // even putting it back takes too much: it is lost
    }
    hold.lock();
    if (last) break;
  }
  database.reset();
  ended = true;
  changed.notify_all();
}

keeper::keeper(std::string file, const retention& keep, std::function<void(const std::string&)> tell)
    : work_(std::make_shared<work>()) {
  work_->file = std::move(file);
  work_->keep = keep;
  work_->tell = std::move(tell);
}

learned_state keeper::learned(const std::string& account) {
  auto* const from = work_->open();
  if (!from) return {};
  try {
    return from->learned(account);
  } catch (const store_error& why) {
    work_->complain(why.what());
    work_->database.reset();
    return {};
  }
}

void keeper::start() {
  // Signals are for the event loop's thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([work = work_] { work->run(); });
  } catch (const std::system_error&) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void keeper::submit(snapshot what) {
  std::lock_guard const hold(work_->guard);
  auto& pending = work_->pending;
  if (pending) {
    if (what.used.size() + pending->used.size() <= most_pending) add(what.used, pending->used);
  }
  pending.emplace(std::move(what));
  work_->fresh = true;
  work_->changed.notify_all();
}

keeper::~keeper() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock hold(work_->guard);
    work_->closing = true;
    work_->changed.notify_all();
    if (!work_->changed.wait_for(hold, longest_end, [&] { return work_->ended; })) {
      work_->tell = nullptr;
      thread_.detach();
      return;
    }
  }
  thread_.join();
}

}  // namespace cooldown::state
