"""What the tests do at a broker.

    AMQP_URL=… python3 amqp.py bind QUEUE EXCHANGE KEY
    AMQP_URL=… python3 amqp.py publish QUEUE            sends the JSON lines of standard input: {"id", "body"}
    AMQP_URL=… python3 amqp.py take QUEUE COUNT         prints messages as JSON lines until so many ids were seen
"""

import json
import os
import sys

import pika

connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.confirm_delivery()
match sys.argv[1:]:
    case "bind", queue, exchange, key:
        channel.exchange_declare(exchange, exchange_type="topic", durable=True)
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, exchange, key)
    case "publish", queue:
        channel.queue_declare(queue, durable=True)
        for line in sys.stdin:
            message = json.loads(line)
            properties = pika.BasicProperties(message_id=message["id"], delivery_mode=2)
            channel.basic_publish("", queue, message["body"].encode(), properties)
    case "take", queue, count:
        seen = set()
        for method, properties, body in channel.consume(queue, inactivity_timeout=30):
            if method is None:
                sys.exit(f"{len(seen)} of {count} messages have come")
            headers = properties.headers or {}
            print(
                json.dumps(
                    {
                        "id": properties.message_id,
                        "key": method.routing_key,
                        "type": properties.content_type,
                        "problem": headers.get("problem"),
                        "body": body.decode(),
                    }
                )
            )
            channel.basic_ack(method.delivery_tag)
            seen.add((properties.message_id, body))
            if len(seen) == int(count):
                break
        channel.cancel()
connection.close()
