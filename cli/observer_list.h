// Several observers of one pipeline, told in order.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "arrowcdc/pipeline.h"

namespace arrowcdc::cli {

class ObserverList : public PipelineObserver {
 public:
  // They outlive it.
  void Add(PipelineObserver* observer) { observers_.push_back(observer); }

  void OnConnected(const SourceInfo& source, const Position& start, bool resumed) override {
    for (auto* observer : observers_) observer->OnConnected(source, start, resumed);
  }
  void OnEnd(const LogEnd& end) override {
    for (auto* observer : observers_) observer->OnEnd(end);
  }
  void OnNotice(const SourceNotice& notice) override {
    for (auto* observer : observers_) observer->OnNotice(notice);
  }
  void OnProgress(const PipelineStats& stats) override {
    for (auto* observer : observers_) observer->OnProgress(stats);
  }
  void OnSnapshot(const SnapshotProgress& progress) override {
    for (auto* observer : observers_) observer->OnSnapshot(progress);
  }
  void OnTableAppeared(const TableName& table) override {
    for (auto* observer : observers_) observer->OnTableAppeared(table);
  }
  void OnSchemaChange(const TableName& table, const std::string& change) override {
    for (auto* observer : observers_) observer->OnSchemaChange(table, change);
  }
  void OnRetry(const arrow::Status& status, std::chrono::milliseconds wait) override {
    for (auto* observer : observers_) observer->OnRetry(status, wait);
  }
  void OnUnrepresentable(const TableName& table, const std::string& column) override {
    for (auto* observer : observers_) observer->OnUnrepresentable(table, column);
  }

 private:
  std::vector<PipelineObserver*> observers_;
};

}  // namespace arrowcdc::cli
