// SPDX-License-Identifier: MIT
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "alexnet/error.h"

namespace alexnet::testing {

// `call` throws an Error whose message has each of the parts.
template <class Call>
void ExpectError(Call&& call, const std::vector<std::string>& parts) {
  try {
    call();
    ADD_FAILURE() << "nothing thrown, expected '" << parts.front() << "'";
  } catch (const Error& error) {
    for (const std::string& part : parts) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
    }
  }
}

}  // namespace alexnet::testing
