# Example: Simple microservice for user management
from flask import Flask, jsonify, request

app = Flask(__name__)

users = {}


@app.route('/user/<username>', methods=['GET'])
def get_user(username):
    user = users.get(username)
    if user:
        return jsonify(user), 200
    else:
        return "User not found", 404


@app.route('/user', methods=['POST'])
def create_user():
    user_data = request.json
    users[user_data['username']] = user_data
    return jsonify(user_data), 201


# Business logic to handle user promotion based on points
def promote_user(user):
    if user['points'] > 100:
        user['status'] = 'Gold'
    elif user['points'] > 50:
        user['status'] = 'Silver'
    else:
        user['status'] = 'Bronze'
    return user


# Applying business logic within the microservice
@app.route('/user/promote/<username>', methods=['PUT'])
def promote_user_route(username):
    user = users.get(username)
    if user:
        promoted_user = promote_user(user)
        users[username] = promoted_user
        return jsonify(promoted_user), 200
    else:
        return "User not found", 404


if __name__ == '__main__':
    app.run(port=5000)
