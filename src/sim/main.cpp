#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/system/system_error.hpp>

#include "cooldown/sim/options.hpp"
#include "cooldown/sim/server.hpp"

int main(int argc, char** argv) {
  namespace sim = cooldown::sim;
  sim::sim_options options;
  if (const auto exit_code = sim::parse_command_line(argc, argv, options)) return *exit_code;
  try {
    boost::asio::io_context context{1};
    sim::server server{context, std::move(options)};
    boost::asio::signal_set signals{context, SIGINT, SIGTERM};
    signals.async_wait([&context](auto error, int /*signal*/) {
      if (!error) context.stop();
    });
    std::printf("cerebras-sim listening on %s\n", server.url().c_str());
    std::fflush(stdout);
    context.run();
  } catch (const boost::system::system_error& e) {
    std::fprintf(stderr, "cerebras-sim: %s\n", e.code().message().c_str());
    return 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "cerebras-sim: %s\n", e.what());
    return 1;
  }
  return 0;
}
