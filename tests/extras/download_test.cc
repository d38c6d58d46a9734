// SPDX-License-Identifier: MIT
#include "extras/download.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alexnet/error.h"
#include "extras/http_server.h"
#include "extras/md5.h"
#include "extras/part_file.h"
#include "extras/temp_folder.h"

namespace alexnet {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::string MakeContent() {
  std::string content;
  uint32_t state = 1;
  for (int i = 0; i < 300'000; ++i) {
    state = state * 1664525 + 1013904223;
    content += static_cast<char>(state >> 24);
  }
  return content;
}

class DownloadTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // A proxy of the machine's must not come between.
    setenv("no_proxy", "127.0.0.1", 1);
  }

  std::string Try(const std::string& url, DownloadOptions options = {}) {
    if (options.md5.empty()) options.md5 = Md5OfText(content_);
    try {
      Download(url, path_, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  static HttpServer::Answer Always(const std::string& bytes) {
    return [bytes](const std::string&) { return HttpReply{bytes}; };
  }

  HttpServer::Answer Good() {
    return [this](const std::string& request) {
      return HttpReply{ServeWithRange(request, content_)};
    };
  }

  const std::string content_ = MakeContent();
  const TempFolder folder_;
  const std::filesystem::path path_ = folder_ / "file";
  const std::filesystem::path part_ = folder_ / "file.part";
};

TEST_F(DownloadTest, FetchesAndReports) {
  const HttpServer server(Good());
  int64_t last = 0;
  int64_t size = 0;
  const auto progress = [&](int64_t done, int64_t total) {
    EXPECT_GE(done, last);
    last = done;
    size = total;
    return true;
  };
  EXPECT_EQ(Try(server.url(), {.progress = progress}), "");
  EXPECT_EQ(FileText(path_), content_);
  EXPECT_FALSE(std::filesystem::exists(part_));
  EXPECT_EQ(last, 300'000);
  EXPECT_EQ(size, 300'000);
}

TEST_F(DownloadTest, FetchesNothingThatIsThere) {
  WriteText(path_, content_);
  const HttpServer server(Good());
  EXPECT_EQ(Try(server.url()), "");
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(DownloadTest, ReplacesAFileOfAnotherSum) {
  WriteText(path_, "old");
  const HttpServer server(Good());
  EXPECT_EQ(Try(server.url()), "");
  EXPECT_EQ(FileText(path_), content_);
}

TEST_F(DownloadTest, ContinuesAPart) {
  WriteText(part_, content_.substr(0, 100'000));
  const HttpServer server(Good());
  int64_t least = 300'000;
  int64_t size = 0;
  const auto progress = [&](int64_t done, int64_t total) {
    least = std::min(least, done);
    size = total;
    return true;
  };
  EXPECT_EQ(Try(server.url(), {.progress = progress}), "");
  EXPECT_EQ(FileText(path_), content_);
  EXPECT_GE(least, 100'000);
  EXPECT_EQ(size, 300'000);
  ASSERT_THAT(server.requests(), SizeIs(1));
  EXPECT_THAT(server.requests()[0], HasSubstr("Range: bytes=100000-\r\n"));
}

TEST_F(DownloadTest, TakesAPartThatIsWhole) {
  WriteText(part_, content_);
  const HttpServer server(Good());
  EXPECT_EQ(Try(server.url()), "");
  EXPECT_EQ(FileText(path_), content_);
}

TEST_F(DownloadTest, StartsAnewWhereTheServerIgnoresRanges) {
  WriteText(part_, content_.substr(0, 100'000));
  const HttpServer server(Always(HttpResponse("200 OK", content_)));
  EXPECT_EQ(Try(server.url()), "");
  EXPECT_EQ(FileText(path_), content_);
}

TEST_F(DownloadTest, StartsAnewAfterAPartOfAnotherFile) {
  for (const size_t size : {5U, 300'000U, 400'000U}) {
    std::filesystem::remove(path_);
    WriteText(part_, std::string(size, 'x'));
    const HttpServer server(Good());
    EXPECT_EQ(Try(server.url()), "") << size;
    EXPECT_EQ(FileText(path_), content_) << size;
    EXPECT_THAT(server.requests(), SizeIs(2)) << size;
  }
}

TEST_F(DownloadTest, RefusesARangeThatItDidNotAskFor) {
  WriteText(part_, content_.substr(0, 100'000));
  const HttpServer server(
      Always(HttpResponse("206 Partial Content", content_.substr(7),
                          "Content-Range: bytes 7-299999/300000\r\n")));
  EXPECT_THAT(Try(server.url()), HasSubstr("expected the bytes from 100000"));
  EXPECT_EQ(FileText(part_).size(), 100'000U);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(DownloadTest, KeepsThePartOfACutConnection) {
  std::string cut = HttpResponse("200 OK", content_);
  cut.resize(cut.size() - 50'000);
  {
    const HttpServer server(Always(cut));
    EXPECT_THAT(Try(server.url()),
                AllOf(HasSubstr(server.url()), HasSubstr("250000 bytes"),
                      HasSubstr("file.part")));
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_EQ(FileText(part_), content_.substr(0, 250'000));
  }
  const HttpServer server(Good());
  EXPECT_EQ(Try(server.url()), "");
  EXPECT_EQ(FileText(path_), content_);
  EXPECT_THAT(server.requests(), Each(HasSubstr("Range: bytes=250000-")));
}

TEST_F(DownloadTest, RemovesWhatHasTheWrongSum) {
  const HttpServer server(Always(HttpResponse("200 OK", "a page instead")));
  EXPECT_THAT(Try(server.url()),
              AllOf(HasSubstr(Md5OfText(content_)),
                    HasSubstr(Md5OfText("a page instead")),
                    HasSubstr("14 bytes"), Not(HasSubstr("kept"))));
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_FALSE(std::filesystem::exists(part_));
}

TEST_F(DownloadTest, SaysTheStatus) {
  const HttpServer server(Always(HttpResponse("404 Not Found", "no")));
  EXPECT_THAT(Try(server.url()),
              AllOf(HasSubstr("404"), HasSubstr(server.url())));
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_FALSE(std::filesystem::exists(part_));
}

TEST_F(DownloadTest, AnErrorPageDoesNotSpoilThePart) {
  WriteText(part_, content_.substr(0, 1000));
  const HttpServer server(
      Always(HttpResponse("503 Service Unavailable", "later")));
  EXPECT_THAT(Try(server.url()), HasSubstr("503"));
  EXPECT_EQ(FileText(part_), content_.substr(0, 1000));
}

TEST_F(DownloadTest, FollowsRedirectsButNotForEver) {
  const HttpServer good(Good());
  const HttpServer once(Always(
      HttpResponse("302 Found", "", "Location: " + good.url() + "\r\n")));
  EXPECT_EQ(Try(once.url()), "");
  EXPECT_EQ(FileText(path_), content_);
  std::filesystem::remove(path_);
  const HttpServer round(
      Always(HttpResponse("302 Found", "", "Location: /file\r\n")));
  EXPECT_THAT(Try(round.url()), HasSubstr("redirects"));
  const HttpServer local(Always(
      HttpResponse("302 Found", "", "Location: file:///etc/hostname\r\n")));
  EXPECT_THAT(Try(local.url()), HasSubstr("rotocol"));
}

TEST_F(DownloadTest, GivesUpOnASilentServer) {
  std::string start = HttpResponse("200 OK", content_);
  start.resize(start.size() - 299'500);
  const HttpServer server([start](const std::string&) {
    return HttpReply{start, true};
  });
  const std::string reason = Try(server.url(), {.stall_seconds = 1});
  EXPECT_THAT(reason,
              AllOf(HasSubstr("too slow"), HasSubstr("500 bytes are kept")));
}

TEST_F(DownloadTest, SaysThatNobodyAnswers) {
  std::string url;
  {
    const HttpServer server(Good());
    url = server.url();
  }
  EXPECT_THAT(Try(url), AllOf(HasSubstr(url), HasSubstr("connect")));
  EXPECT_FALSE(std::filesystem::exists(part_));
}

TEST_F(DownloadTest, StopsWhenTold) {
  const HttpServer server(Good());
  const auto stop = [](int64_t, int64_t) { return false; };
  EXPECT_THAT(Try(server.url(), {.progress = stop}), HasSubstr("stopped"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(DownloadTest, PassesTheCallersExceptionOn) {
  const HttpServer server(Good());
  DownloadOptions options{.md5 = Md5OfText(content_)};
  options.progress = [](int64_t, int64_t) -> bool {
    throw std::runtime_error("mine");
  };
  EXPECT_THROW(Download(server.url(), path_, options), std::runtime_error);
}

TEST_F(DownloadTest, RefusesTooManyBytes) {
  const HttpServer server(Good());
  DownloadOptions options;
  options.max_bytes = 100'000;
  EXPECT_THAT(Try(server.url(), options), HasSubstr("at most 100000 bytes"));
  EXPECT_FALSE(std::filesystem::exists(part_));
}

TEST_F(DownloadTest, ReadsFileUrlsAndNoOthers) {
  WriteText(folder_ / "source", content_);
  WriteText(part_, content_.substr(0, 1000));
  EXPECT_EQ(Try("file://" + (folder_ / "source").string()), "");
  EXPECT_EQ(FileText(path_), content_);
  std::filesystem::remove(path_);
  EXPECT_THAT(Try("ftp://127.0.0.1/file"), HasSubstr("rotocol"));
}

TEST_F(DownloadTest, LeavesAPartToTheOneWhoWritesIt) {
  PartFile other(part_);
  const HttpServer server(Good());
  EXPECT_THAT(Try(server.url()), HasSubstr("another download"));
}

TEST_F(DownloadTest, NamesAFolderThatCannotBeWritten) {
  EXPECT_THROW(
      Download("file:///dev/null", folder_ / "missing" / "file", {.md5 = "0"}),
      Error);
  WriteText(folder_ / "plain", "");
  EXPECT_THROW(DownloadCifar10(folder_ / "plain"), Error);
}

TEST_F(DownloadTest, ChecksCifar10AgainstTheOfficialSum) {
  const HttpServer server(Always(HttpResponse("200 OK", "a mirror's page")));
  try {
    DownloadCifar10(folder_ / "new" / "set", server.url());
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(kCifar10Md5));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "new" / "set"));
}

// RFC 1321, A.5.
TEST(Md5, MatchesTheStandard) {
  EXPECT_EQ(Md5OfText(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(Md5OfText("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
}

}  // namespace
}  // namespace alexnet
