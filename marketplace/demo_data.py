"""Demo data of `marketplace run`: people and services around Tashkent, put in through the public API, once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from marketplace.admins import ensure_admin
from services.accounts.domain import DEMO_PASSWORD

WORKERS = {
    "worker@example.com": ("Aziz Karimov", ["plumbing", "appliances"], (41.367, 69.289), ["uz", "ru"]),
    "dilnoza@example.com": ("Dilnoza Yusupova", ["cleaning"], (41.325, 69.335), ["uz"]),
    "timur@example.com": ("Timur Akhmedov", ["electrical", "computers"], (41.275, 69.203), ["uz", "ru", "en"]),
    "kamola@example.com": ("Kamola Rashidova", ["tutoring", "beauty"], (41.290, 69.285), ["uz", "en"]),
    "sergey@example.com": ("Сергей Ким", ["moving", "delivery"], (41.226, 69.220), ["ru"]),
}
"""E-mail → name, trades, place in degrees, languages."""
CLIENTS = {"client@example.com": "Malika Saidova", "jasur@example.com": "Jasur Toshmatov"}
OFFERS = {
    "plumbing": [("Leaking tap repair", "150000.00", "Yunusabad"), ("Bathroom plumbing", "900000.00", "Chilanzar")],
    "appliances": [("Washing machine repair", "250000.00", "Yunusabad")],
    "cleaning": [
        ("Flat cleaning, two rooms", "300000.00", "Mirzo Ulugbek"),
        ("Window cleaning", "180000.00", "Yakkasaray"),
    ],
    "electrical": [("Socket and switch installation", "80000.00", "Sergeli")],
    "computers": [("Laptop cleaning and thermal paste", "200000.00", "Chilanzar")],
    "tutoring": [
        ("Mathematics for grades 5 to 9", "120000.00", "Mirabad"),
        ("English for beginners", "100000.00", "Mirabad"),
    ],
    "beauty": [("Haircut at home", "90000.00", "Yakkasaray")],
    "moving": [("Moving with two loaders", "700000.00", "Sergeli")],
    "delivery": [("Courier across Tashkent", "40000.00", "Mirabad")],
}


async def put_in_once(url: str, accounts: FastAPI, done: Path) -> None:
    """Fill an empty marketplace at `url`; `done` is the file that tells that it was."""
    if await asyncio.to_thread(done.exists):
        return
    await ensure_admin(accounts.state, email="admin@example.com", password=DEMO_PASSWORD, full_name="Demo Admin")
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        answer = (await http.get("/api/services/categories/")).raise_for_status().json()
        categories = {category["slug"]: category["id"] for category in answer["results"]}
        for email, name in CLIENTS.items():
            await _account(http, email, name, "client")
        for email, (name, trades, (lat, lng), languages) in WORKERS.items():
            login = await _account(http, email, name, "worker")
            headers = {"Authorization": f"Bearer {login['access']}"}
            profile = {
                "bio": f"{name}, at your service around Tashkent.",
                "skills": trades,
                "city": "Tashkent",
                "location": {"lat": lat, "lng": lng},
                "service_radius_km": 25,
                "languages": languages,
            }
            worker = f"/api/workers/{login['user']['id']}/"
            (await http.patch(worker, json=profile, headers=headers)).raise_for_status()
            for trade in trades:
                for title, price, district in OFFERS[trade]:
                    offer = {
                        "title": title,
                        "description": f"{title} by {name}, {district}. Tools included.",
                        "category_id": categories[trade],
                        "price": price,
                        "city": "Tashkent",
                        "location": {"lat": lat, "lng": lng},
                    }
                    (await http.post("/api/services/", json=offer, headers=headers)).raise_for_status()
    await asyncio.to_thread(done.write_text, json.dumps({"workers": len(WORKERS), "clients": len(CLIENTS)}))


async def _account(http: httpx.AsyncClient, email: str, name: str, role: str) -> dict[str, Any]:
    """The login of a new account, or of one that a start cut short has left."""
    body: dict[str, Any] = {"email": email, "password": DEMO_PASSWORD, "full_name": name, "role": role}
    answer = await http.post("/api/auth/register/", json=body)
    if answer.status_code == httpx.codes.CONFLICT:
        answer = await http.post("/api/auth/login/", json={"email": email, "password": DEMO_PASSWORD})
    login: dict[str, Any] = answer.raise_for_status().json()
    return login
