#include "cooldown/core/request_queue.hpp"

namespace cooldown {

void request_queue::push(queue_key key, ticket_id id, double cost) {
  if (entries_.insert({key, id}).second) cost_ += cost;
}

void request_queue::erase(queue_key key, ticket_id id, double cost) {
  if (entries_.erase({key, id}) > 0) cost_ -= cost;
  if (entries_.empty()) cost_ = 0;  // rounding errors do not outlive the queue
}

}  // namespace cooldown
