// SPDX-License-Identifier: MIT
#include "extras/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace alexnet {

HttpServer::HttpServer(Answer answer) : answer_(std::move(answer)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 8) != 0 ||
      getsockname(listener_, generic, &size) != 0 || pipe(stop_) != 0) {
    throw std::runtime_error("no server on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

HttpServer::~HttpServer() {
  close(stop_[1]);
  thread_.join();
  for (const int connection : hanging_) close(connection);
  close(stop_[0]);
  close(listener_);
}

std::string HttpServer::url() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/file";
}

std::vector<std::string> HttpServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void HttpServer::Serve() {
  for (;;) {
    pollfd waits[2] = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    poll(waits, 2, -1);
    if (waits[1].revents != 0) return;
    const int connection = accept(listener_, nullptr, nullptr);
    if (connection >= 0) Handle(connection);
  }
}

void HttpServer::Handle(int connection) {
  std::string request;
  char buffer[1024];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = recv(connection, buffer, sizeof(buffer), 0);
    if (count <= 0) break;
    request.append(buffer, static_cast<size_t>(count));
  }
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const HttpReply reply = answer_(request);
  std::string_view left = reply.bytes;
  while (!left.empty()) {
    const ssize_t count =
        send(connection, left.data(), left.size(), MSG_NOSIGNAL);
    if (count <= 0) break;
    left.remove_prefix(static_cast<size_t>(count));
  }
  if (reply.hang) {
    hanging_.push_back(connection);
  } else {
    close(connection);
  }
}

std::string HttpResponse(const std::string& status, std::string_view body,
                         const std::string& headers) {
  return "HTTP/1.1 " + status + "\r\n" + headers +
         "Connection: close\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

std::string ServeWithRange(const std::string& request,
                           const std::string& content) {
  const size_t range = request.find("Range: bytes=");
  if (range == std::string::npos) return HttpResponse("200 OK", content);
  const size_t start = std::stoul(request.substr(range + 13));
  const std::string all = std::to_string(content.size());
  if (start >= content.size()) {
    return HttpResponse("416 Range Not Satisfiable", "",
                        "Content-Range: bytes */" + all + "\r\n");
  }
  return HttpResponse("206 Partial Content", content.substr(start),
                      "Content-Range: bytes " + std::to_string(start) + "-" +
                          std::to_string(content.size() - 1) + "/" + all +
                          "\r\n");
}

}  // namespace alexnet
