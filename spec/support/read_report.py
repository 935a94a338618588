# Prints as JSON what Python's email package reads in a delivery report (RFC 3464).
import email
import email.policy
import json
import sys

with open(sys.argv[1], "rb") as file:
    message = email.message_from_binary_file(file, policy=email.policy.default)
parts = list(message.iter_parts())
blocks = parts[1].get_payload()
if parts[1].get_content_type() == "message/global-delivery-status":
    # RFC 6533: not taken apart by the package, but of the same form.
    text = parts[1].get_content().decode("utf-8")
    blocks = [email.message_from_string(block, policy=email.policy.default)
              for block in text.replace("\r\n", "\n").strip().split("\n\n")]
json.dump(
    {
        "type": message.get_content_type(),
        "report_type": message.get_param("report-type"),
        "return_path": str(message["Return-Path"]),
        "parts": [part.get_content_type() for part in parts],
        "of_message": {name: str(value) for name, value in blocks[0].items()},
        "of_recipients": [
            {name: str(value) for name, value in block.items()} for block in blocks[1:]
        ],
        "defects": [type(defect).__name__ for part in message.walk() for defect in part.defects],
        "returned": parts[2].as_string(),
    },
    sys.stdout,
)
