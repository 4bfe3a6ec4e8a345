#!/usr/bin/env bash
# Posts COMMENT_FILE on the pull request NUMBER of REPOSITORY, or updates the comment that has its marker.
# Without NUMBER it takes the open pull request whose head is HEAD_OWNER:HEAD_BRANCH at HEAD_SHA.
#
# The file may come from a fork. So nothing is taken from it but text: not the pull request, no path, no command. It is
# a plain file of limited size that begins with our marker, and mentions nobody.
set -euo pipefail

most=65536
if [ ! -f "$COMMENT_FILE" ] || [ -L "$COMMENT_FILE" ]; then
  echo "there is no comment to post: $COMMENT_FILE is no file"
  exit 0
fi
size=$(wc -c < "$COMMENT_FILE" | tr -d ' ')
if [ "$size" -gt $((most * 4)) ]; then
  echo "the comment has $size bytes: it is not one of pytest-gomem" >&2
  exit 1
fi
MARKER=$(head -n 1 "$COMMENT_FILE")
if ! [[ $MARKER =~ ^'<!-- pytest-gomem'(' '[A-Za-z0-9._-]{1,64})?' -->'$ ]]; then
  echo "the comment does not begin with the marker of pytest-gomem" >&2
  exit 1
fi
export MARKER

if [ -z "$NUMBER" ]; then
  NUMBER=$(gh api --method GET "repos/$REPOSITORY/pulls" -f state=open -f "head=$HEAD_OWNER:$HEAD_BRANCH" \
    --jq '[.[] | select(.head.sha == env.HEAD_SHA)][0].number // empty')
fi
if ! [[ $NUMBER =~ ^[0-9]+$ ]]; then
  echo "no open pull request is at $HEAD_SHA: a newer commit has its own comment"
  exit 0
fi

# An invisible character after each "@" keeps it from being a mention.
body=$(sed $'s/@/@\xe2\x81\xa0/g' "$COMMENT_FILE" | jq --raw-input --slurp --arg most "$most" '{body: .[:($most | tonumber)]}')
found=$(gh api --paginate "repos/$REPOSITORY/issues/$NUMBER/comments" \
  --jq '.[] | select(.user.type == "Bot" and (.body | startswith(env.MARKER))) | .id')
found=${found%%$'\n'*}  # the oldest; a pipe to head could end gh early, which fails
if [[ $found =~ ^[0-9]+$ ]]; then
  gh api --method PATCH "repos/$REPOSITORY/issues/comments/$found" --input - > /dev/null <<< "$body"
  echo "updated the comment of pull request $NUMBER"
else
  gh api --method POST "repos/$REPOSITORY/issues/$NUMBER/comments" --input - > /dev/null <<< "$body"
  echo "commented on pull request $NUMBER"
fi
