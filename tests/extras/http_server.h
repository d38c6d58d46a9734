// SPDX-License-Identifier: MIT
// An HTTP server on 127.0.0.1 that answers as a test tells it to.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace alexnet {

struct HttpReply {
  std::string bytes;  // status line, headers and body as they go out
  bool hang = false;  // keep the connection open and silent afterwards
};

class HttpServer {
 public:
  using Answer = std::function<HttpReply(const std::string& request)>;

  explicit HttpServer(Answer answer);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  std::string url() const;
  // The heads of all requests so far.
  std::vector<std::string> requests() const;

 private:
  void Serve();
  void Handle(int connection);

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  int stop_[2] = {-1, -1};
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<int> hanging_;
  std::thread thread_;
};

// "HTTP/1.1 STATUS", the headers, Content-Length and the body.
std::string HttpResponse(const std::string& status, std::string_view body,
                         const std::string& headers = "");

// What a good server says to a request for `content`, Range obeyed.
std::string ServeWithRange(const std::string& request,
                           const std::string& content);

}  // namespace alexnet
